/** The most bytes of a request body, before and after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** How long a client may take to send its headers. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** How long a client may take to send a whole request: a megabyte over a very slow line. */
export const RECEIVE_TIMEOUT_MS = 30_000;

/** How long a connection may be silent in the middle of a request or of its answer. */
export const SILENCE_TIMEOUT_MS = 30_000;

/**
 * How many pieces a body may come in, and how many bytes it has to have for each one more: a piece is a chunk of
 * `Transfer-Encoding: chunked`, or what one read of the connection brought.
 */
export const BODY_PIECES_MAX = 1_024;
export const BODY_PIECE_BYTES_MIN = 64;

/**
 * How many requests may wait on one connection for the answer to the one before them, and on all connections together. One
 * read of a connection can bring thousands; each that waits takes some 3 KB.
 */
export const PIPELINED_MAX = 32;
export const PIPELINED_OF_ALL_MAX = 10_000;

/** How many bytes of answers may be in memory because clients do not read them. */
export const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

/** How many bodies may be inflated at once: one on each thread that Node has for it. */
export const INFLATIONS_MAX = 4;

/** How fast a body has to come in once memory for bodies is short, and from which age on. */
export const PACE = { bytesPerSecond: 4_096, graceMs: 5_000 };

/**
 * How many connections may wait until the event loop accepts them: as many as Linux allows unless told otherwise
 * (`net.core.somaxconn`). Past it the kernel drops the first packet of a connection without a word, and its client tries
 * again after a second. With Node's 511 a few hundred connections in one burst kept everybody else's out for that long.
 */
export const LISTEN_BACKLOG = 4_096;
