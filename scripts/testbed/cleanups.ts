import { EXIT_INTERRUPTED } from "../../adapters/terminal/command_line.ts";

/** What has to be undone when a run ends, however it ends. */
export interface Cleanups {
  readonly add: (undo: () => unknown) => void;
  /** Undoes everything once, the latest first. An error stops nothing. */
  readonly run: () => Promise<void>;
}

export const makeCleanups = (): Cleanups => {
  const undos: Array<() => unknown> = [];
  return {
    add: (undo) => void undos.push(undo),
    run: async () => {
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch {
          // What is left is stopped when this process exits.
        }
      }
    },
  };
};

/** Runs something, and cleans up after it: when it ends, when it fails, and as soon as it is interrupted. */
export const withCleanups = async (
  interrupted: AbortSignal,
  use: (cleanups: Cleanups) => Promise<number>,
): Promise<number> => {
  const cleanups = makeCleanups();
  const interruption = new Promise<number>((resolve) => {
    interrupted.addEventListener("abort", () => {
      // What still runs fails while it is torn down.
      process.on("unhandledRejection", () => {});
      resolve(EXIT_INTERRUPTED);
    });
  });
  try {
    return await Promise.race([interruption, use(cleanups)]);
  } finally {
    await cleanups.run();
  }
};
