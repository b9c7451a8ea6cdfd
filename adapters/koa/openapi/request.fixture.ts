import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

/** A request as it is sent. */
export interface FuzzRequest {
  /** Whether it is exactly as documented. */
  readonly valid: boolean;
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Buffer;
}

/** A text as part of a path, which cannot contain unpaired surrogates. */
export const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());

type Encode = (body: Buffer) => Buffer;

/** Every way to send a body. */
export const ENCODINGS: ReadonlyArray<readonly [name: string, encode: Encode]> = [
  ["", (bytes) => bytes],
  ["", (bytes) => bytes],
  ["identity", (bytes) => bytes],
  ["gzip", (bytes) => gzipSync(bytes)],
  ["deflate", (bytes) => deflateSync(bytes)],
  ["deflate", (bytes) => deflateRawSync(bytes)],
  ["br", (bytes) => brotliCompressSync(bytes)],
];
