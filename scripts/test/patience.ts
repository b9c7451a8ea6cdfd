/**
 * How long a test waits for something to happen, in milliseconds. Nothing should take so long, also on a machine that is
 * busy with other things: who waits in vain has failed.
 */
export const PATIENCE_MS = Number(process.env["TEST_PATIENCE_MS"] ?? 60_000);

/** What a test that has waited in vain says: for what, how long, and how to wait longer. */
export const inVain = (what: string): string =>
  `${what} within ${PATIENCE_MS / 1_000} s (TEST_PATIENCE_MS sets another limit)`;
