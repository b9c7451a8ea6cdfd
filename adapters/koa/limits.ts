/** The most bytes of a request body, before and after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** How long a client may take to send its headers. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** How long a client may take to send a whole request: a megabyte over a very slow line. */
export const RECEIVE_TIMEOUT_MS = 30_000;

/** How long a connection may be silent in the middle of a request or a response. */
export const SILENCE_TIMEOUT_MS = 30_000;

/**
 * How many pieces a body may have, plus one more for so many bytes. A piece is a chunk of
 * `Transfer-Encoding: chunked`, or the result of one read of the connection.
 */
export const BODY_PIECES_MAX = 1_024;
export const BODY_PIECE_BYTES_MIN = 64;

/**
 * How many pipelined requests may wait for the response to the one before, on one connection and on
 * all together. One read of a connection can bring thousands; each takes some 3 KB.
 */
export const PIPELINED_MAX = 32;
export const PIPELINED_OF_ALL_MAX = 10_000;

/** How many bytes of responses may be in memory because clients do not read them. */
export const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

/** How many bodies may be inflated concurrently: one for each of Node's threads. */
export const INFLATIONS_MAX = 4;

/** How fast a body must arrive while memory for bodies is short, and from which age on. */
export const PACE = { bytesPerSecond: 4_096, graceMs: 5_000 };

/**
 * How many connections may wait until the event loop accepts them: Linux's own limit unless changed
 * (`net.core.somaxconn`). Beyond it, the kernel silently drops the first packet of a connection,
 * and the client retries after a second. With Node's 511, a burst of a few hundred connections
 * delayed everybody else's that long.
 */
export const LISTEN_BACKLOG = 4_096;

/**
 * How long an address can open no connection after one of its connections was abandoned, and how
 * many such addresses are remembered. One read of a connection brings ten thousand one-byte pieces,
 * which cost a microsecond each: ten connections that came back immediately delayed others by 0.3 s.
 */
export const ABANDONED_REST_MS = 1_000;
export const ABANDONED_ADDRESSES_MAX = 10_000;
