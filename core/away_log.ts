import { Clock, Effect } from "effect";

/**
 * How long nothing must have failed before a dependency counts as back, in milliseconds: longer than any part of a loop
 * waits until it tries again.
 */
const BACK_AFTER_MS = 15_000;

/** Logs that a dependency of a loop is away when that begins and when it is over, however often it fails between. */
export interface AwayLog {
  readonly failed: (error: {
    readonly _tag: string;
    readonly cause: unknown;
  }) => Effect.Effect<void>;
  /** Something worked. */
  readonly worked: Effect.Effect<void>;
}

/** @param loop such as "The worker", the first words of each line */
export const makeAwayLog = (loop: string): AwayLog => {
  let failedAt: number | undefined;
  return {
    failed: ({ _tag, cause }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const begins = failedAt === undefined;
        failedAt = now;
        if (!begins) return Effect.void;
        return Effect.logWarning(`${loop} waits: the database is away or refuses`).pipe(
          Effect.annotateLogs({ reason: _tag, cause: String(cause) }),
        );
      }),
    worked: Effect.suspend(() =>
      failedAt === undefined
        ? Effect.void
        : Effect.flatMap(Clock.currentTimeMillis, (now) => {
            if (failedAt === undefined || now - failedAt < BACK_AFTER_MS) return Effect.void;
            failedAt = undefined;
            return Effect.logInfo(`${loop} goes on`);
          }),
    ),
  };
};
