import * as zlib from "node:zlib";

/** Makes the engine for a body. */
export type MakeEngine = (body: Uint8Array) => zlib.Gunzip | zlib.BrotliDecompress;

/** Size of an engine's output pieces. */
const OUTPUT_BYTES = 32_768;
const OPTIONS = { chunkSize: OUTPUT_BYTES };

const gunzip: MakeEngine = () => zlib.createGunzip(OPTIONS);

// "deflate" means the zlib format (RFC 9110); some clients send the raw one.
const isZlib = (body: Uint8Array): boolean => {
  const [first = 0, second = 0] = body;
  return body.length >= 2 && (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
};

/** Engines by content encoding. */
export const ENGINES: Readonly<Record<string, MakeEngine | "none" | undefined>> = {
  __proto__: null as never,
  identity: "none",
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: (body) => (isZlib(body) ? zlib.createInflate(OPTIONS) : zlib.createInflateRaw(OPTIONS)),
  br: () => zlib.createBrotliDecompress(OPTIONS),
};

/** An inflation that can be stopped. */
export interface Inflation {
  /** Frees the engine's memory; neither callback is called afterwards. */
  readonly stop: () => void;
}

/**
 * Inflates a body piece by piece, so that the caller can stop when it has enough. The engine is
 * destroyed at the end instead of left to garbage collection: it takes tens of kilobytes, and with
 * Brotli some megabytes, that no budget counts.
 *
 * @param onEnd called once, with an error if the body does not match its encoding
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
  // An engine silently ignores what follows the end of its stream, such as a second stream.
  engine.once("end", () => {
    const left = body.length - engine.bytesWritten;
    end(left === 0 ? undefined : new Error(`${left} bytes follow the end of the compressed data`));
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
