import { Clock, Context, Effect } from "effect";

import { faultOf } from "./store_failure.ts";

/** Remembers a state, and logs each change of it once. */
export interface Transitions<State extends string> {
  readonly state: () => State;
  /** Runs `line`, which logs the change, unless this is the state already. */
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

/** Observes each failure and each recovery of a task. */
export interface TaskObserver {
  readonly failed: (reason: string) => void;
  readonly recovered: () => void;
}

/** Observes background tasks, by name: no caller sees their failures. */
export const FaultObserver = Context.Reference<(task: string) => TaskObserver>(
  "tidemark/FaultObserver",
  { defaultValue: () => () => ({ failed: () => {}, recovered: () => {} }) },
);

export interface FaultReport {
  /** Counts a failure. Logs it if the task worked before, unless it is a fault of a store. */
  readonly failed: (error: unknown) => Effect.Effect<void>;
  /** Logs that the task works again, if its failure was logged. */
  readonly worked: Effect.Effect<void>;
  /** Runs the task once and reports the outcome; undefined if it failed. Defects and interrupts pass through. */
  readonly watch: <A, E, R>(task: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, never, R>;
}

export interface FaultReportOptions {
  /** The name of the task in metrics and logs. */
  readonly task: string;
  /** Logged, with the cause, when the task starts to fail: what fails, and the consequence. */
  readonly failing: string;
  /** Logged when it works again. */
  readonly working: string;
  /**
   * How long the task must not have failed before it counts as working again, in milliseconds; by default, the next
   * success is enough. For a task of several parts, some of which may work while others fail.
   */
  readonly recoveredAfterMs?: number;
}

/**
 * Reports on a background task, whose errors no caller handles: it counts each failure, and logs one line when failures
 * start and one when they end, however often the task fails in between.
 *
 * A fault of a store (`StoreFailure`) is only counted. It is logged where the store is watched, with how to fix it.
 */
export const makeFaultReport = Effect.fnUntraced(function* ({
  task,
  failing,
  working,
  recoveredAfterMs = 0,
}: FaultReportOptions): Effect.fn.Return<FaultReport> {
  // The logger of the service: a request that runs the task later may log elsewhere.
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
    // Negative if the clock was set back; how long it really was is unknown then.
    if (sinceMs >= 0 && sinceMs < recoveredAfterMs) return;
    const isLogged = transitions.state() === "failing";
    observer.recovered();
    const line = Effect.annotateLogs(Effect.logInfo(working), { task });
    const recovered = transitions.to("working", isLogged ? line : Effect.void);
    yield* Effect.provideContext(recovered, services);
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

/** The innermost cause of an error: our own errors say what could not be done, their causes say why. */
const rootCauseOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(rootCauseOf).join(", ");
  return error instanceof Error && error.cause !== undefined
    ? rootCauseOf(error.cause)
    : String(error);
};
