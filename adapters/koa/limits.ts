/** The most bytes of a request body, before and after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** How long a client may take to send its headers. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** How long a client may take to send a whole request: a megabyte over a very slow line. */
export const RECEIVE_TIMEOUT_MS = 30_000;

/** How long a connection may be silent in the middle of a request or of its answer. */
export const SILENCE_TIMEOUT_MS = 30_000;
