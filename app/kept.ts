/**
 * Shares an answer among all who ask while it is being found out, or within `keptMs` after that.
 *
 * @param ask must not be expensive to fail: failures are shared while they are found out, and not kept
 */
export const kept = <A>(keptMs: number, ask: () => Promise<A>): (() => Promise<A>) => {
  let running: Promise<A> | undefined;
  let last: { readonly answer: A; readonly at: number } | undefined;
  return async () => {
    if (last !== undefined && performance.now() - last.at < keptMs) return last.answer;
    running ??= ask().then(
      (answer) => {
        last = { answer, at: performance.now() };
        running = undefined;
        return answer;
      },
      (error: unknown) => {
        running = undefined;
        throw error;
      },
    );
    return running;
  };
};
