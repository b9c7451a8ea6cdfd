import { Effect } from "effect";

/**
 * What has to be mended about a store that answers, and will answer the same however often it is asked: the rights of a
 * role, the schema, the session (a pooler, its settings), the data of the request, the server itself, the way to it (TLS);
 * "unexpected" for everything else.
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

/** What every error of a port to a store says. */
export interface StoreFailure {
  readonly cause: unknown;
  /** Set if waiting does not help; unset while the store is away, overloaded or read-only. */
  readonly fault?: FaultKind | undefined;
}

/** What has to be mended, if an error of a port says so. */
export const faultOf = (error: unknown): FaultKind | undefined =>
  error instanceof Error && "fault" in error ? (error as Partial<StoreFailure>).fault : undefined;

/** What a failed call says about its store; a "defect" is a bug of ours and says nothing about the store. */
export type Diagnosis = "away" | "defect" | FaultKind;

/** Tells why a call of a store failed. Each kind of store has one. */
export type Diagnose = (cause: unknown) => Diagnosis;

/** An `AbortSignal`, by a name that needs no types of a platform. */
type CallSignal = Parameters<Parameters<typeof Effect.callback>[0]>[1];

/** Runs a call of a store. `named` may turn causes that mean something to the domain into errors of their own. */
export type AskStore<E> = <A, Named = never>(
  call: (signal: CallSignal) => Promise<A>,
  named?: (cause: unknown) => Named | undefined,
) => Effect.Effect<A, E | Named>;

/**
 * Makes what an adapter calls its store with: failures become errors of one class, with their diagnosis, and defects stay
 * defects. The signal is aborted when the effect is interrupted.
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

/** The failure of a call, or the defect that it was. */
export const failed = <E>(
  Failed: new (failure: StoreFailure) => E,
  diagnose: Diagnose,
  cause: unknown,
): Effect.Effect<never, E> => {
  const diagnosis = diagnose(cause);
  if (diagnosis === "defect") return Effect.die(cause);
  return Effect.fail(new Failed({ cause, ...(diagnosis === "away" ? {} : { fault: diagnosis }) }));
};
