import { Effect, Exit } from "effect";

import type { Fate, Faults, Station } from "./faults.fixture.ts";
import type { Trace } from "./trace.fixture.ts";

/** Who calls: a process, which may die or freeze while it waits. */
export interface Caller {
  readonly name: string;
  readonly isAlive: () => boolean;
  readonly crash: (why: string) => void;
  /** Returns when the process is not frozen (any more). */
  readonly thaw: Effect.Effect<void>;
}

export interface Call<A, E, Away> {
  readonly station: Station;
  readonly name: string;
  /** What happens at the other side, at one instant. */
  readonly effect: Effect.Effect<A, E>;
  /** The error of the port for a call that fails on its way. */
  readonly away: (cause: string) => Away;
  /** What the trace tells of the answer; undefined for one that is not worth a line. */
  readonly tell: (answer: A) => string | undefined;
}

/** What is between a process and the stations. */
export interface Wire {
  readonly call: <A, E, Away>(call: Call<A, E, Away>) => Effect.Effect<A, E | Away>;
}

/**
 * The wire of a process: calls take their time, fail before or after they happened, kill their caller.
 *
 * A process that died is one that gets no answers and whose calls do not happen. Between its calls it
 * touches nothing that others see, so this is the same as if its fibers had ended there; they are left
 * waiting, for nobody.
 */
export const makeWire = (caller: Caller, faults: Faults, trace: Trace): Wire => {
  /** Returns undefined when there is nobody to answer. */
  const carry = Effect.fnUntraced(function* <A, E, Away>(call: Call<A, E, Away>, fate: Fate) {
    const { name } = call;
    yield* caller.thaw;
    yield* pause(fate.requestMs);
    if (!caller.isAlive() && !fate.outlives) return undefined;
    if (fate.ending === "refused") {
      trace.note(caller.name, `${name}: is refused`);
      yield* pause(fate.answerMs);
      return Exit.fail(call.away("refused"));
    }
    if (fate.ending === "crashBefore") {
      caller.crash(`before ${name}`);
      return undefined;
    }

    const exit = yield* Effect.exit(call.effect);
    const told = Exit.isSuccess(exit) ? call.tell(exit.value) : "is refused for good";
    const more = circumstances(fate, caller.isAlive());
    if (told !== undefined || more !== "") {
      trace.note(caller.name, `${name}: ${told ?? "nothing"}${more}`);
    }

    if (fate.ending === "crashAfter") {
      caller.crash(`after ${name}`);
      return undefined;
    }
    yield* pause(fate.answerMs);
    yield* caller.thaw;
    return fate.ending === "answerLost" ? Exit.fail(call.away("the answer is lost")) : exit;
  });

  return {
    call: <A, E, Away>(call: Call<A, E, Away>) =>
      Effect.suspend((): Effect.Effect<A, E | Away> => {
        if (!caller.isAlive()) return Effect.never;
        const fate = faults.fateOf(call.station, call.name);
        const carried = Effect.ensuring(carry(call, fate), Effect.sync(faults.begin()));
        return Effect.flatMap(carried, (exit): Effect.Effect<A, E | Away> =>
          exit === undefined || !caller.isAlive() ? Effect.never : exit,
        );
      }),
  };
};

/** What takes longer is told of. */
const SLOW_MS = 100;

const circumstances = ({ ending, requestMs, answerMs }: Fate, isAlive: boolean): string => {
  const slow = (ms: number, what: string): string => (ms < SLOW_MS ? "" : `, ${ms} ms ${what}`);
  return [
    slow(requestMs, "under way"),
    slow(answerMs, "to its answer"),
    ending === "answerLost" ? ", and the answer is lost" : "",
    isAlive ? "" : ", though its caller is dead",
  ].join("");
};

const pause = (ms: number): Effect.Effect<void> => (ms === 0 ? Effect.void : Effect.sleep(ms));
