/** What has to be undone however a run ends, in the reverse order of its doing. */
export interface Cleanups {
  readonly add: (undo: () => Promise<void> | void) => void;
  /** Undoes everything, each once; goes on when something cannot be undone, and gives the reasons. */
  readonly run: () => Promise<ReadonlyArray<unknown>>;
}

export const makeCleanups = (): Cleanups => {
  const undos: Array<() => Promise<void> | void> = [];
  return {
    add: (undo) => void undos.push(undo),
    run: async () => {
      const errors: unknown[] = [];
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          errors.push(error);
        }
      }
      return errors;
    },
  };
};
