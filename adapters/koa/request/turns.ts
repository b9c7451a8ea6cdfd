import { Effect } from "effect";

import { makeFairTurns, type TurnLimits } from "../../../core/fair/fair_turns.ts";
import { TurnRefused, type Turns, type Work } from "../../../core/turns.ts";

export interface TurnsOptions {
  readonly limits: TurnLimits;
  /** Called with how long work waited for its turns, in seconds; 0 if it did not wait. */
  readonly onWaited?: (seconds: number) => void;
  /** Clock in milliseconds. */
  readonly now?: () => number;
}

/** How long work takes the thread in one round of the event loop, plus the step that is running. */
const ROUND_MS = 1;

/** How long clients should wait before they send refused work again. */
const RETRY_AFTER_SECONDS = 1;

/** Work that waits for turns. */
interface Task {
  /** Runs one step. After the last one it returns a function that reports the result. */
  readonly step: () => (() => void) | undefined;
  readonly refuse: () => void;
  ownMs: number;
}

/**
 * Spreads work over the rounds of the event loop, and shares the time of each round fairly among
 * clients. Otherwise a flood of large batches would block the thread for tens of milliseconds, and
 * delay reads that take microseconds. While a round has time left and nothing waits, work runs
 * immediately.
 */
export const makeTurns = ({
  limits,
  onWaited = () => {},
  now = () => performance.now(),
}: TurnsOptions): (typeof Turns)["Service"] => {
  const turns = makeFairTurns<Task>(limits);
  let spentMs = 0;
  let isArmed = false;

  const arm = (): void => {
    if (isArmed) return;
    isArmed = true;
    setImmediate(round);
  };

  const round = (): void => {
    isArmed = false;
    spentMs = 0;
    let at = now();
    for (const { task } of turns.dropLate(at)) task.refuse();
    while (spentMs < ROUND_MS) {
      const ticket = turns.next();
      if (ticket === undefined) break;
      const { client, task, since } = ticket;
      const report = task.step();
      const after = now();
      turns.charge(client, after - at);
      task.ownMs += after - at;
      spentMs += after - at;
      at = after;
      if (report === undefined) continue;
      turns.leave(ticket);
      onWaited(Math.max(0, after - since - task.ownMs) / 1_000);
      report();
    }
    // One more round after the last work: work that arrives until then counts for this round.
    if (spentMs > 0 || turns.waiting() > 0) arm();
  };

  return {
    run: <A>(client: string, work: Work<A>) =>
      Effect.suspend((): Effect.Effect<A, TurnRefused> => {
        if (turns.waiting() === 0 && spentMs < ROUND_MS) {
          arm();
          const since = now();
          const before = spentMs;
          let done: A | undefined;
          do {
            done = work();
            spentMs = before + now() - since;
          } while (done === undefined && spentMs < ROUND_MS);
          turns.charge(client, spentMs - before);
          if (done !== undefined) {
            onWaited(0);
            return Effect.succeed(done);
          }
        }
        return Effect.callback<A, TurnRefused>((resume) => {
          const refuse = (reason: "full" | "late"): void => {
            resume(new TurnRefused({ reason, retryAfterSeconds: RETRY_AFTER_SECONDS }));
          };
          const task: Task = {
            step: () => {
              try {
                const done = work();
                return done === undefined ? undefined : () => resume(Effect.succeed(done));
              } catch (defect) {
                return () => resume(Effect.die(defect));
              }
            },
            refuse: () => refuse("late"),
            ownMs: 0,
          };
          const ticket = turns.take(client, task, now());
          if (ticket === undefined) {
            refuse("full");
            return undefined;
          }
          arm();
          return Effect.sync(() => turns.leave(ticket));
        });
      }),
  };
};
