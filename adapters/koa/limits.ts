/** The most bytes of a request body, before and after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;
