import * as zlib from "node:zlib";

/** Makes the engine that inflates a body. */
export type MakeEngine = (body: Uint8Array) => zlib.Gunzip | zlib.BrotliDecompress;

/** How much an engine puts out at once, in bytes. */
const OUTPUT_BYTES = 32_768;
const OPTIONS = { chunkSize: OUTPUT_BYTES };

const gunzip: MakeEngine = () => zlib.createGunzip(OPTIONS);

// "deflate" means the zlib format (RFC 9110); some clients send the bare one.
const isZlib = (body: Uint8Array): boolean => {
  const [first = 0, second = 0] = body;
  return body.length >= 2 && (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
};

/** By content encoding; identity needs none. */
export const ENGINES: Readonly<Record<string, MakeEngine | "none" | undefined>> = {
  __proto__: null as never,
  identity: "none",
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: (body) => (isZlib(body) ? zlib.createInflate(OPTIONS) : zlib.createInflateRaw(OPTIONS)),
  br: () => zlib.createBrotliDecompress(OPTIONS),
};

/** Something that inflates, and can be stopped. */
export interface Inflation {
  /** Frees what the engine holds; neither callback is called afterwards. */
  readonly stop: () => void;
}

/**
 * Inflates a body piece by piece, so that whoever takes the pieces bounds how many there are: it stops the inflation when it
 * has enough. The engine is freed at the end, and not when somebody collects garbage: it holds tens of kilobytes, of Brotli
 * up to some megabytes, that no budget counts.
 *
 * @param onEnd called once, with what is wrong if the body is not what its encoding says
 */
export const inflate = (
  makeEngine: MakeEngine,
  body: Uint8Array,
  onPiece: (piece: Uint8Array) => void,
  onEnd: (error: Error | undefined) => void,
): Inflation => {
  const engine = makeEngine(body);
  let isOver = false;
  const end = (error: Error | undefined): void => {
    if (isOver) return;
    isOver = true;
    engine.destroy();
    onEnd(error);
  };
  engine.on("data", (piece: Buffer) => {
    if (!isOver) onPiece(piece);
  });
  // An engine stops where its stream ends and says nothing of what comes after it, such as a second stream.
  engine.once("end", () => {
    const left = body.length - engine.bytesWritten;
    end(
      left === 0 ? undefined : new Error(`${left} bytes come after the end of what is compressed`),
    );
  });
  engine.on("error", end);
  engine.end(body);
  return {
    stop: () => {
      isOver = true;
      engine.destroy();
    },
  };
};
