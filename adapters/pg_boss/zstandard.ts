import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  type ZstdCompress,
  type ZstdDecompress,
} from "node:zlib";

/** The quickest level: the others take longer and save next to nothing. */
const LEVEL = 1;

/**
 * How many bytes of its output an engine hands over at once: each time is a turn of the event loop, which is slow to
 * come round when many requests have to be refused. Most rows come out at once.
 */
const CHUNK_BYTES = 256 * 1_024;

/**
 * Makes the function that puts one input after the other through one engine, on a thread beside this one, and
 * succeeds with what `read` makes of all that came out.
 *
 * One engine, because V8 frees those that `zstdCompressSync` makes, and the buffers around them, no sooner than
 * it collects the old generation, which is the more often due the more of them there are. An engine that failed,
 * or gave what cannot be read, makes way for a new one: it may hold the rest of an input that was cut off.
 */
const inTurns = (open: () => ZstdCompress | ZstdDecompress) => {
  let kept: ReturnType<typeof open> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const putAway = (engine: typeof kept): void => {
    engine?.destroy();
    if (kept === engine) kept = undefined;
  };

  const openOne = (): ReturnType<typeof open> => {
    const engine = open();
    return engine.on("error", () => {
      putAway(engine);
    });
  };

  const run = (input: string | Uint8Array, bytesMax: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const engine = (kept ??= openOne());
      const chunks: Buffer[] = [];
      let bytes = 0;
      const end = (): void => {
        engine.off("data", take);
        engine.off("error", fail);
      };
      const fail = (error: Error): void => {
        end();
        putAway(engine);
        reject(error);
      };
      const take = (chunk: Buffer): void => {
        bytes += chunk.length;
        if (bytes > bytesMax) fail(new RangeError(`more than ${bytesMax} bytes come out`));
        else chunks.push(chunk);
      };
      engine.on("data", take);
      engine.on("error", fail);
      engine.write(input, (error) => {
        if (error) fail(error);
        // One that was put away calls this without an error.
        if (engine.destroyed) return;
        end();
        resolve(Buffer.concat(chunks));
      });
    });

  return <A>(
    input: string | Uint8Array,
    bytesMax: number,
    read: (output: Buffer) => A,
  ): Promise<A> => {
    const attempt = async (): Promise<A> => {
      try {
        return read(await run(input, bytesMax));
      } catch (error) {
        putAway(kept);
        throw error;
      }
    };
    // Once more, because the engine may have failed for what was before this input.
    const result = turn.then(attempt).catch(attempt);
    turn = result.catch(() => {});
    return result;
  };
};

/** Compresses a text, as UTF-8, into a frame of Zstandard, and succeeds with what `read` makes of it. */
export const compress = <A>(text: string, read: (frame: Buffer) => A): Promise<A> =>
  compressInTurns(text, Number.POSITIVE_INFINITY, read);

const compressInTurns = inTurns(() =>
  createZstdCompress({
    // Each text is a frame of its own.
    flush: constants.ZSTD_e_end,
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  }),
);

/**
 * Decompresses a frame, and succeeds with what `read` makes of it. Rejects what is damaged.
 *
 * @param bytesMax the most that may come out; the engine is stopped when it is more
 * @param read throws at a text that is not whole: what is left of a frame that was cut off is no error by itself
 */
export const decompress: <A>(
  frame: Uint8Array,
  bytesMax: number,
  read: (text: Buffer) => A,
) => Promise<A> = inTurns(() => createZstdDecompress({ chunkSize: CHUNK_BYTES }));
