/** Gives what wants to run a turn after the other, so that nothing else waits for all of them. */
export interface Turns {
  /** Returns when it is the turn of so much work: undefined if that is now. */
  readonly wait: (weight: number) => Promise<void> | undefined;
}

/**
 * Lets so much work run in one round of the event loop, first come first served, and at least one piece. A
 * flood of large batches would otherwise keep the thread for tens of milliseconds, and a read that takes a
 * hundredth of one behind it.
 */
export const makeTurns = (weightPerRound: number): Turns => {
  const waiting: Array<{ readonly weight: number; readonly run: () => void }> = [];
  let left = weightPerRound;
  let isArmed = false;

  const fits = (weight: number): boolean => left === weightPerRound || weight <= left;

  const arm = (): void => {
    if (isArmed) return;
    isArmed = true;
    setImmediate(() => {
      isArmed = false;
      left = weightPerRound;
      for (let next = waiting[0]; next !== undefined && fits(next.weight); next = waiting[0]) {
        waiting.shift();
        left -= next.weight;
        next.run();
      }
      if (left < weightPerRound) arm();
    });
  };

  return {
    wait: (weight) => {
      arm();
      if (waiting.length === 0 && fits(weight)) {
        left -= weight;
        return undefined;
      }
      return new Promise((run) => {
        waiting.push({ weight, run });
      });
    },
  };
};
