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

  const putAway = (): void => {
    kept?.destroy();
    kept = undefined;
  };

  const run = (input: string | Uint8Array): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const engine = (kept ??= open().on("error", putAway));
      const chunks: Buffer[] = [];
      const take = (chunk: Buffer): void => void chunks.push(chunk);
      engine.on("data", take);
      engine.once("error", reject);
      engine.write(input, (error) => {
        engine.off("data", take);
        if (error) return;
        engine.off("error", reject);
        resolve(Buffer.concat(chunks));
      });
    });

  return <A>(input: string | Uint8Array, read: (output: Buffer) => A): Promise<A> => {
    const attempt = async (): Promise<A> => {
      try {
        return read(await run(input));
      } catch (error) {
        putAway();
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
export const compress: <A>(text: string, read: (frame: Buffer) => A) => Promise<A> = inTurns(() =>
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
 * @param read throws at a text that is not whole: what is left of a frame that was cut off is no error by itself
 */
export const decompress: <A>(frame: Uint8Array, read: (text: Buffer) => A) => Promise<A> = inTurns(
  () => createZstdDecompress({ chunkSize: CHUNK_BYTES }),
);
