import { Context, Effect, Layer } from "effect";

import { messageOf } from "../../core/printable.ts";
import { FAULT_KINDS, type FaultKind, type StoreFailure } from "../../core/store_failure.ts";
import { Meters } from "../metrics/meters.ts";

/** Records how each call of one operation of the database ended. */
export interface OperationWatch {
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Watches how calls of the database end, so that a fault is logged, counted, and known to
 * readiness.
 */
export class DatabaseFaults extends Context.Service<
  DatabaseFaults,
  {
    readonly watch: (operation: string) => OperationWatch;
    /**
     * Operations that do nothing but fail, for a reason that waiting does not mend; each with its
     * cause.
     */
    readonly ongoing: () => ReadonlyArray<string>;
  }
>()("tidemark/DatabaseFaults") {
  static readonly layer: Layer.Layer<DatabaseFaults, never, Meters> = Layer.effect(
    DatabaseFaults,
    Effect.gen(function* () {
      const run = Effect.runForkWith(yield* Effect.context());
      return makeDatabaseFaults({ meters: yield* Meters, log: (line) => void run(line) });
    }),
  );
}

export interface DatabaseFaultsOptions {
  readonly meters: Pick<Meters["Service"], "counter">;
  readonly log: (line: Effect.Effect<void>) => void;
  /** In milliseconds. */
  readonly now?: () => number;
}

/**
 * How long an operation must run without a fault, in milliseconds, before the fault counts as over:
 * one that fails for one account and succeeds for the next is logged once and not each time.
 */
const OVER_AFTER_MS = 10_000;

/** How many calls in a row must fail before the operation counts as one that cannot succeed. */
const FAILURES_IN_A_ROW = 3;

/**
 * How long it counts as that without another call: only a call can show that the fault is over, and
 * a process that is not ready may get none.
 */
const ONGOING_MS = 10_000;

interface Fault {
  readonly reason: string;
  readonly since: number;
  lastAt: number;
  lastCause: unknown;
  failures: number;
  /** Failures since the last success. */
  inARow: number;
}

export const makeDatabaseFaults = ({
  meters,
  log,
  now = () => performance.now(),
}: DatabaseFaultsOptions): DatabaseFaults["Service"] => {
  /**
   * By operation and kind: an operation that fails in two ways in turn, for two accounts or on two
   * servers, has two faults, each with a start and an end.
   */
  const faults = new Map<string, Map<FaultKind, Fault>>();

  const counts = meters.counter(
    "tidemark_database_failures_total",
    "Failed calls of the database, by operation and kind. Kind away passes by itself; the others need a person.",
  );

  const start = (operation: string, kind: FaultKind, cause: unknown): Fault => {
    const at = now();
    const reason = messageOf(cause);
    const line = Effect.logError("The database refuses an operation. Waiting does not help.");
    log(Effect.annotateLogs(line, { operation, kind, reason }));
    return { reason, since: at, lastAt: at, lastCause: undefined, failures: 0, inARow: 0 };
  };

  const end = (operation: string, kind: FaultKind, { failures, since }: Fault): void => {
    const seconds = Math.round((now() - since) / 1_000);
    const line = Effect.logInfo("The database accepts an operation again");
    log(Effect.annotateLogs(line, { operation, kind, failures, seconds }));
  };

  return {
    watch: (operation) => {
      const ofOperation = faults.get(operation) ?? new Map<FaultKind, Fault>();
      faults.set(operation, ofOperation);
      const count = (kind: FaultKind | "away", by?: number): void =>
        counts({ operation, kind })(by);
      // There from the start, with zeros, so that the first failure is an increase.
      for (const kind of ["away", ...FAULT_KINDS] as const) count(kind, 0);
      return {
        failed: (error) => {
          if (!isFailure(error)) return;
          const { cause, fault: kind } = error;
          count(kind ?? "away");
          if (kind === undefined) return;
          const fault = ofOperation.get(kind) ?? start(operation, kind, cause);
          ofOperation.set(kind, fault);
          fault.lastAt = now();
          fault.failures++;
          // Calls that share a statement, such as a commit of many batches, fail together.
          if (cause !== fault.lastCause) fault.inARow++;
          fault.lastCause = cause;
        },

        succeeded: () => {
          if (ofOperation.size === 0) return;
          for (const [kind, fault] of ofOperation) {
            fault.inARow = 0;
            if (now() - fault.lastAt < OVER_AFTER_MS) continue;
            ofOperation.delete(kind);
            end(operation, kind, fault);
          }
        },
      };
    },

    ongoing: () => {
      const at = now();
      // A data fault belongs to one request, however often that is sent.
      const isOngoing = ([kind, { inARow, lastAt }]: readonly [FaultKind, Fault]): boolean =>
        kind !== "data" && inARow >= FAILURES_IN_A_ROW && at - lastAt < ONGOING_MS;
      return [...faults].flatMap(([operation, ofOperation]) =>
        [...ofOperation].filter(isOngoing).map(([, { reason }]) => `${operation}: ${reason}`),
      );
    },
  };
};

/** Whether an error of a port is about its store. */
const isFailure = (error: unknown): error is StoreFailure =>
  error instanceof Error && "_tag" in error && String(error._tag).endsWith("Unavailable");
