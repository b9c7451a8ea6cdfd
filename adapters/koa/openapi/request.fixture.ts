import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

/** A request as it goes over the wire. */
export interface FuzzRequest {
  /** Whether it is as the document says in everything. */
  readonly valid: boolean;
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Buffer;
}

/** A text as a part of a path; half of a surrogate pair cannot be in one. */
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
