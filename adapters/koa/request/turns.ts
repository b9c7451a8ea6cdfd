import { Effect } from "effect";

import { makeFairTurns, type TurnLimits } from "../../../core/fair/fair_turns.ts";
import { TurnRefused, type Turns, type Work } from "../../../core/turns.ts";

export interface TurnsOptions {
  readonly limits: TurnLimits;
  /** Is told how long work has waited for its turns, in seconds; 0 if it did not have to. */
  readonly onWaited?: (seconds: number) => void;
  /** A clock in milliseconds. */
  readonly now?: () => number;
}

/** How long work keeps the thread in one round of the event loop; a step that has begun is ended. */
const ROUND_MS = 1;

/** Work that was refused can be sent again when that much of what waits is done. */
const RETRY_AFTER_SECONDS = 1;

/** A piece of work in the line. */
interface Task {
  /** Does a step; returns what tells its result, if that was the last one. */
  readonly step: () => (() => void) | undefined;
  readonly refuse: () => void;
  ownMs: number;
}

/**
 * Does work in the rounds of the event loop: so much in each, by turns of those who have it. A flood of large batches
 * would otherwise keep the thread for tens of milliseconds, and a read that takes a hundredth of one behind it. While
 * there is time left in a round and nobody waits, work is done where it comes up.
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
      const tell = task.step();
      const after = now();
      turns.charge(client, after - at);
      task.ownMs += after - at;
      spentMs += after - at;
      at = after;
      if (tell === undefined) continue;
      turns.leave(ticket);
      onWaited(Math.max(0, after - since - task.ownMs) / 1_000);
      tell();
    }
    // Once more when all is done: what comes up meanwhile shares this round, and a later one owes nothing to it.
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
