import { Effect } from "effect";

/**
 * What must be fixed if a store answers, and retrying will not change its answer: the rights of a role, the schema, the
 * session (a pooler, its settings), the data of the request, the server itself, the connection to it (TLS); "unexpected"
 * is everything else.
 */
export const FAULT_KINDS = [
  "rights",
  "schema",
  "session",
  "data",
  "server",
  "connection",
  "unexpected",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What every error of a port to a store contains. */
export interface StoreFailure {
  readonly cause: unknown;
  /** Set if waiting does not help; unset while the store is unreachable, overloaded or read-only. */
  readonly fault?: FaultKind | undefined;
}

/** The fault of a port's error, if it has one. */
export const faultOf = (error: unknown): FaultKind | undefined =>
  error instanceof Error && "fault" in error ? (error as Partial<StoreFailure>).fault : undefined;

/** What a failed call says about its store: unavailable ("away"), faulty, or nothing, because the failure is a bug of ours. */
export type Diagnosis = "away" | "defect" | FaultKind;

/** Classifies the failure of a call. Each kind of store has its own. */
export type Diagnose = (cause: unknown) => Diagnosis;

/** An `AbortSignal`, without the types of a platform. */
type CallSignal = Parameters<Parameters<typeof Effect.callback>[0]>[1];

/** Calls a store. `named` turns causes that have a meaning in the domain into errors of their own. */
export type AskStore<E> = <A, Named = never>(
  call: (signal: CallSignal) => Promise<A>,
  named?: (cause: unknown) => Named | undefined,
) => Effect.Effect<A, E | Named>;

/**
 * Makes the function through which an adapter calls its store: failures become errors of one class, with their diagnosis,
 * and defects stay defects. The signal is aborted when the effect is interrupted.
 */
export const makeAskStore =
  (diagnose: Diagnose) =>
  <E>(Failed: new (failure: StoreFailure) => E): AskStore<E> =>
  <A, Named = never>(
    call: (signal: CallSignal) => Promise<A>,
    named?: (cause: unknown) => Named | undefined,
  ) =>
    Effect.callback<A, E | Named>((resume, signal) => {
      call(signal).then(
        (value) => resume(Effect.succeed(value)),
        (cause: unknown) => {
          const own = named?.(cause);
          resume(own === undefined ? failed(Failed, diagnose, cause) : Effect.fail(own));
        },
      );
    });

/** Fails with the diagnosis of a failed call, or dies if it was a defect. */
export const failed = <E>(
  Failed: new (failure: StoreFailure) => E,
  diagnose: Diagnose,
  cause: unknown,
): Effect.Effect<never, E> => {
  const diagnosis = diagnose(cause);
  if (diagnosis === "defect") return Effect.die(cause);
  return Effect.fail(new Failed({ cause, ...(diagnosis === "away" ? {} : { fault: diagnosis }) }));
};
