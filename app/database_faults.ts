import { Effect } from "effect";

import { FAULT_KINDS, type FaultKind, type StoreFailure } from "../core/store_failure.ts";
import { messageOf } from "../db/errors.ts";
import { DATABASE_FAILURES } from "./metrics/families.ts";
import type { Meters } from "./metrics/meters.ts";

/** Watches how calls of the database end, so that a fault is logged, counted, and known to readiness. */
export interface DatabaseFaults {
  /** The same port, each of whose operations is watched under `<name>.<operation>`. */
  readonly watched: <Port extends object>(name: string, port: Port) => Port;
  /** Operations that fail for what waiting does not mend, and do nothing else, each with its cause. */
  readonly ongoing: () => ReadonlyArray<string>;
}

export interface DatabaseFaultsOptions {
  readonly meters: Pick<Meters, "counter">;
  readonly log: (line: Effect.Effect<void>) => void;
  /** In milliseconds. */
  readonly now?: () => number;
}

/**
 * How long an operation must have gone without a fault, in milliseconds, before it counts as over: one that fails for one
 * account and succeeds for the next is logged once and not each time.
 */
const OVER_AFTER_MS = 10_000;

/** How many calls in a row must fail before the operation counts as one that cannot succeed. */
const FAILURES_IN_A_ROW = 3;

/**
 * How long it counts as that when nobody calls it any more: only a call can show that it is over, and none may come to a
 * process that is not ready.
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
}: DatabaseFaultsOptions): DatabaseFaults => {
  /**
   * By operation and kind: one that fails in two ways in turns, for two accounts or on two servers, has two faults, each with
   * a beginning and an end.
   */
  const faults = new Map<string, Map<FaultKind, Fault>>();

  const fail = (operation: string, { cause, fault }: StoreFailure): void => {
    meters.counter(DATABASE_FAILURES, { operation, kind: fault ?? "away" })();
    if (fault === undefined) return;
    const at = now();
    const ofOperation = faults.get(operation) ?? new Map<FaultKind, Fault>();
    const known = ofOperation.get(fault);
    if (known !== undefined) {
      known.lastAt = at;
      known.failures++;
      // Calls that share a statement, such as a commit of many batches, fail together.
      if (cause !== known.lastCause) known.inARow++;
      known.lastCause = cause;
      return;
    }
    const reason = messageOf(cause);
    faults.set(operation, ofOperation);
    ofOperation.set(fault, {
      reason,
      since: at,
      lastAt: at,
      lastCause: cause,
      failures: 1,
      inARow: 1,
    });
    const line = Effect.logError("The database refuses an operation, and waiting does not help");
    log(Effect.annotateLogs(line, { operation, kind: fault, reason }));
  };

  const succeed = (operation: string): void => {
    const ofOperation = faults.get(operation);
    if (ofOperation === undefined) return;
    const at = now();
    for (const [kind, fault] of ofOperation) {
      fault.inARow = 0;
      if (at - fault.lastAt < OVER_AFTER_MS) continue;
      ofOperation.delete(kind);
      const { failures, since } = fault;
      const seconds = Math.round((at - since) / 1_000);
      const line = Effect.logInfo("The database takes an operation again");
      log(Effect.annotateLogs(line, { operation, kind, failures, seconds }));
    }
    if (ofOperation.size === 0) faults.delete(operation);
  };

  const watch = (operation: string, effect: Effect.Effect<unknown, unknown>) =>
    Effect.tapError(
      Effect.tap(effect, () => (faults.size > 0 ? Effect.sync(() => succeed(operation)) : NOTHING)),
      (error) => (isFailure(error) ? Effect.sync(() => fail(operation, error)) : NOTHING),
    );

  return {
    watched: (name, port) => {
      const watchedEntry = ([key, value]: [string, unknown]): [string, unknown] => {
        const operation = `${name}.${key}`;
        // There from the start, with zeros: the first failure is an increase.
        if (Effect.isEffect(value) || typeof value === "function") {
          for (const kind of ["away", ...FAULT_KINDS]) {
            meters.counter(DATABASE_FAILURES, { operation, kind })(0);
          }
        }
        if (Effect.isEffect(value)) return [key, watch(operation, value as typeof NOTHING)];
        if (typeof value !== "function") return [key, value];
        return [
          key,
          (...values: unknown[]): unknown => {
            const result: unknown = value(...values);
            return Effect.isEffect(result) ? watch(operation, result as typeof NOTHING) : result;
          },
        ];
      };
      return Object.fromEntries(Object.entries(port).map(watchedEntry)) as typeof port;
    },

    ongoing: () => {
      const at = now();
      // Data is of one request, however often that is sent.
      const isOngoing = ([kind, { inARow, lastAt }]: readonly [FaultKind, Fault]): boolean =>
        kind !== "data" && inARow >= FAILURES_IN_A_ROW && at - lastAt < ONGOING_MS;
      return [...faults].flatMap(([operation, ofOperation]) =>
        [...ofOperation].filter(isOngoing).map(([, { reason }]) => `${operation}: ${reason}`),
      );
    },
  };
};

const NOTHING: Effect.Effect<void> = Effect.void;

/** Whether an error of a port tells of its store. */
const isFailure = (error: unknown): error is StoreFailure =>
  error instanceof Error && "_tag" in error && String(error._tag).endsWith("Unavailable");
