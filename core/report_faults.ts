import { Clock, Context, Effect } from "effect";

import { faultOf } from "./store_failure.ts";

/** Remembers which state something is in, and logs each change of it once. */
export interface Transitions<State extends string> {
  readonly state: () => State;
  /** Runs `line`, which logs the change, unless the state is that one already. */
  readonly to: (next: State, line: Effect.Effect<void>) => Effect.Effect<void>;
}

export const makeTransitions = <State extends string>(initial: State): Transitions<State> => {
  let state = initial;
  return {
    state: () => state,
    to: (next, line) =>
      Effect.suspend(() => {
        if (next === state) return Effect.void;
        state = next;
        return line;
      }),
  };
};

/** Hears of each failure of a task, and of each recovery. */
export interface TaskObserver {
  readonly failed: (reason: string) => void;
  readonly recovered: () => void;
}

/** Observes tasks whose failures no caller sees, by their names. */
export const FaultObserver = Context.Reference<(task: string) => TaskObserver>(
  "tidemark/FaultObserver",
  { defaultValue: () => () => ({ failed: () => {}, recovered: () => {} }) },
);

export interface FaultReport {
  /** Counts a failure, and logs it if the task worked until then, unless it is a fault of a store. */
  readonly failed: (error: unknown) => Effect.Effect<void>;
  /** Logs that the task works again, if the log says that it does not. */
  readonly worked: Effect.Effect<void>;
  /** Runs the task once, and reports how it went; undefined if it failed. Defects and interrupts pass. */
  readonly watch: <A, E, R>(task: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, never, R>;
}

export interface FaultReportOptions {
  /** What metrics and logs call it. */
  readonly task: string;
  /** What is logged, with the cause, when it begins to fail: what fails, and what follows from it. */
  readonly failing: string;
  /** What is logged when it works again. */
  readonly working: string;
  /**
   * How long nothing must have failed before the task counts as working again, in milliseconds; unless given, the next
   * success is enough. For a task of several parts, of which one may work while another one fails.
   */
  readonly backAfterMs?: number;
}

/**
 * Reports on a task that runs beside everything else, and whose errors nobody waits for. It replaces ignoring them: each failure is
 * counted, and the log has one line when failures begin and one when they end, however often the task fails in between.
 *
 * A fault of a store (`StoreFailure`) is counted only: whoever watches the store logs it, with what has to be mended.
 */
export const makeFaultReport = Effect.fnUntraced(function* ({
  task,
  failing,
  working,
  backAfterMs = 0,
}: FaultReportOptions): Effect.fn.Return<FaultReport> {
  // Of those who made it: a request that runs the task later may log somewhere else.
  const services = yield* Effect.context();
  const observer = (yield* FaultObserver)(task);
  const transitions = makeTransitions<"working" | "faulty" | "failing">("working");

  let failedAt = 0;

  const failed = Effect.fnUntraced(function* (error: unknown) {
    failedAt = yield* Clock.currentTimeMillis;
    const reason = rootCauseOf(error);
    observer.failed(reason);
    if (faultOf(error) === undefined) {
      const line = Effect.annotateLogs(Effect.logWarning(failing), { task, reason });
      yield* Effect.provideContext(transitions.to("failing", line), services);
    } else if (transitions.state() === "working") yield* transitions.to("faulty", Effect.void);
  });
  const recover = Effect.gen(function* () {
    const sinceMs = (yield* Clock.currentTimeMillis) - failedAt;
    // Below zero the clock was set back, and nobody knows for how long.
    if (sinceMs >= 0 && sinceMs < backAfterMs) return;
    const isTold = transitions.state() === "failing";
    observer.recovered();
    const line = Effect.annotateLogs(Effect.logInfo(working), { task });
    const told = transitions.to("working", isTold ? line : Effect.void);
    yield* Effect.provideContext(told, services);
  });
  const worked = Effect.suspend(() => (transitions.state() === "working" ? Effect.void : recover));
  return {
    failed,
    worked,
    watch: (effect) =>
      effect.pipe(
        Effect.tap(() => worked),
        Effect.catch((error) => Effect.as(failed(error), undefined)),
      ),
  };
});

/** What an error comes from: our own say what could not be done, and their causes why. */
const rootCauseOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(rootCauseOf).join(", ");
  return error instanceof Error && error.cause !== undefined
    ? rootCauseOf(error.cause)
    : String(error);
};
