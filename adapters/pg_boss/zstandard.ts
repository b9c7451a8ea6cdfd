import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  type ZstdCompress,
  type ZstdDecompress,
} from "node:zlib";

/** The fastest level: the others take longer and save next to nothing. */
const LEVEL = 1;

/**
 * The size of the output chunks of an engine. Each chunk takes a round of the event loop, which is
 * slow while many requests are refused. Most rows fit into one chunk.
 */
const CHUNK_BYTES = 256 * 1_024;

/**
 * Makes a function that runs one input after the other through one engine, on another thread, and
 * resolves with the result of `read` on the output.
 *
 * One engine for all inputs, because V8 frees the engines of `zstdCompressSync` and their buffers
 * only when it collects the old generation, which it must do the more often the more of them there
 * are. An engine is replaced after it failed or its output could not be read: it may contain the
 * rest of a truncated input.
 */
const makeSerial = (open: () => ZstdCompress | ZstdDecompress) => {
  let kept: ReturnType<typeof open> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const discard = (engine: typeof kept): void => {
    engine?.destroy();
    if (kept === engine) kept = undefined;
  };

  const openOne = (): ReturnType<typeof open> => {
    const engine = open();
    return engine.on("error", () => {
      discard(engine);
    });
  };

  const run = (input: string | Uint8Array, bytesMax: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const engine = (kept ??= openOne());
      const chunks: Buffer[] = [];
      let bytes = 0;
      const end = (): void => {
        engine.off("data", collect);
        engine.off("error", fail);
      };
      const fail = (error: Error): void => {
        end();
        discard(engine);
        reject(error);
      };
      const collect = (chunk: Buffer): void => {
        bytes += chunk.length;
        if (bytes > bytesMax) fail(new RangeError(`the output has more than ${bytesMax} bytes`));
        else chunks.push(chunk);
      };
      engine.on("data", collect);
      engine.on("error", fail);
      engine.write(input, (error) => {
        if (error) fail(error);
        // A destroyed engine calls this without an error.
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
        discard(kept);
        throw error;
      }
    };
    // A second attempt, because the engine may have failed because of an earlier input.
    const result = turn.then(attempt).catch(attempt);
    turn = result.catch(() => {});
    return result;
  };
};

/** Compresses a text, as UTF-8, into a Zstandard frame; resolves with `read` of it. */
export const compress = <A>(text: string, read: (frame: Buffer) => A): Promise<A> =>
  compressSerially(text, Number.POSITIVE_INFINITY, read);

const compressSerially = makeSerial(() =>
  createZstdCompress({
    // Each text is a frame of its own.
    flush: constants.ZSTD_e_end,
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  }),
);

/**
 * Decompresses a frame, and resolves with the result of `read` on it. Rejects damaged frames.
 *
 * @param bytesMax the most bytes of output; the engine is stopped beyond it
 * @param read throws on an incomplete text: a truncated frame is not an error of the engine
 */
export const decompress: <A>(
  frame: Uint8Array,
  bytesMax: number,
  read: (text: Buffer) => A,
) => Promise<A> = makeSerial(() => createZstdDecompress({ chunkSize: CHUNK_BYTES }));
