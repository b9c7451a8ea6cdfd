/**
 * How long a test waits for something to happen, in milliseconds. Nothing should take so long, also on a machine that is
 * busy with other things: who waits in vain has failed.
 */
export const PATIENCE_MS = Number(process.env["TEST_PATIENCE_MS"] ?? 60_000);

/** What a test that has waited in vain says: for what, how long, and how to wait longer. */
export const inVain = (what: string): string =>
  `${what} within ${PATIENCE_MS / 1_000} s (TEST_PATIENCE_MS sets another limit)`;

/**
 * Asks again and again until the answer is yes.
 *
 * @param otherwise what is wrong when it never is; the question itself unless given
 * @throws after `PATIENCE_MS`
 */
export const until = async (
  isTrue: () => boolean | Promise<boolean>,
  otherwise = `never: ${String(isTrue)}`,
): Promise<void> => {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(inVain(otherwise));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
