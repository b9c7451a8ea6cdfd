/** How long a test waits for something, in milliseconds: more than enough on a busy machine. */
export const PATIENCE_MS = Number(process.env["TEST_PATIENCE_MS"] ?? 60_000);

/** The message of a test that has waited in vain: for what, how long, and how to wait longer. */
export const inVain = (what: string): string =>
  `${what} within ${PATIENCE_MS / 1_000} s (TEST_PATIENCE_MS sets another limit)`;

/**
 * Polls until the condition is true.
 *
 * @param otherwise the message if it never is
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
