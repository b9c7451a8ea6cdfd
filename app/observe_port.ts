import { Cause, Clock, Context, Effect, Exit, Layer, Result } from "effect";

import { type ClientSemaphore, makeClientSemaphore } from "../core/fair/client_semaphore.ts";
import { invariant } from "../core/invariant.ts";
import { inSpan } from "../core/trace.ts";
import { DatabaseFaults } from "./database/faults.ts";
import { Pools } from "./database/pools.ts";
import { Meters } from "./metrics/meters.ts";
import { Tracing } from "./tracing/tracing.ts";

/** How calls of one operation are observed. */
export interface Observation<in Args extends ReadonlyArray<unknown>, in A, in E> {
  /** Called with the duration of each call, however it ended. */
  readonly seconds?: (seconds: number) => void;
  readonly succeeded?: (value: A, ...args: Args) => void;
  readonly failed?: (error: E) => void;
  /** The name of the call's span, in a trace. */
  readonly span?: string;
  /** Whether a call waits for its client's turn on a connection for reads. */
  readonly needsPermit?: true;
}

/**
 * An entry for every member of a port: an operation that is added to the port does not compile
 * without one.
 */
export type Observations<Port> = { readonly [Name in keyof Port]: ObservationOf<Port[Name]> };

type ObservationOf<Member> =
  Member extends Effect.Effect<infer A, infer E, infer _R>
    ? Observation<[], A, E> | "not measured"
    : Member extends (...args: infer Args) => Effect.Effect<infer A, infer E, infer _R>
      ? Observation<Args, A, E> | "not measured"
      : "a value";

/** What measures are taken with. */
export interface Instruments {
  readonly meters: Meters["Service"];
  readonly clock: Clock.Clock;
}

/** What observes the calls of ports. */
export class Observers extends Context.Service<
  Observers,
  Instruments & {
    /** Learns how each call of the database ended. */
    readonly faults: DatabaseFaults["Service"];
    /** Whether spans are recorded. */
    readonly isTraced: boolean;
    /** Shares the connections for reads among clients. */
    readonly permits: Pick<ClientSemaphore, "withPermit" | "waiting">;
  }
>()("tidemark/Observers") {}

/** The most reads that may wait for a connection, of one client and of all clients together. */
const WAITING_PER_CLIENT_MAX = 64;
const WAITING_MAX = 1_024;

export const observersLayer: Layer.Layer<
  Observers,
  never,
  Meters | DatabaseFaults | Tracing | Pools
> = Layer.effect(
  Observers,
  Effect.gen(function* () {
    const { shares } = yield* Pools;
    return {
      meters: yield* Meters,
      clock: yield* Clock.Clock,
      faults: yield* DatabaseFaults,
      isTraced: (yield* Tracing) !== undefined,
      permits: makeClientSemaphore({
        permits: shares.read,
        // One is left for the next client, whatever this one reads.
        perClientMax: Math.max(1, shares.read - 1),
        waitingPerClientMax: WAITING_PER_CLIENT_MAX,
        waitingMax: WAITING_MAX,
      }),
    };
  }),
);

/** Observes the port that a layer provides; `name` is what metrics and logs call it. */
export const observe =
  <Id, Port extends object>(
    port: Context.Key<Id, Port>,
    name: string,
    observationsOf: (instruments: Instruments) => Observations<Port>,
  ) =>
  <E, R>(layer: Layer.Layer<Id, E, R>): Layer.Layer<Id, E, R | Observers> =>
    Layer.effect(
      port,
      Effect.zipWith(port, Observers, (service, observers) =>
        observePort(service, name, observationsOf(observers), observers),
      ),
    ).pipe(Layer.provide(layer));

/**
 * The same port, with its calls observed and their failures recorded as faults of
 * `<name>.<operation>`.
 */
export const observePort = <Port extends object>(
  port: Port,
  name: string,
  observations: Observations<Port>,
  observers: Pick<Observers["Service"], "faults" | "isTraced" | "permits">,
): Port => {
  const observed = Object.entries(port).map(([key, member]: [string, unknown]) => {
    const operation = `${name}.${key}`;
    const isOperation = Effect.isEffect(member) || typeof member === "function";
    const entry = observations[key as keyof Port] as AnyObservation | "not measured" | "a value";
    invariant(
      isOperation === (entry !== undefined && entry !== "a value"),
      `the observation of ${operation} fits its kind`,
    );
    if (!isOperation || entry === "a value") return [key, member];
    const run = observeCalls(operation, entry === "not measured" ? {} : entry, observers);
    if (Effect.isEffect(member)) return [key, run(member as AnyCall, [])];
    return [key, (...args: ReadonlyArray<unknown>) => run(member(...args) as AnyCall, args)];
  });
  return Object.fromEntries(observed) as Port;
};

type AnyCall = Effect.Effect<unknown, unknown>;
type AnyObservation = Observation<ReadonlyArray<unknown>, unknown, unknown>;

const observeCalls = (
  operation: string,
  { seconds, succeeded, failed, span, needsPermit }: AnyObservation,
  { faults, isTraced, permits }: Pick<Observers["Service"], "faults" | "isTraced" | "permits">,
) => {
  const watch = faults.watch(operation);
  const spanned = isTraced && span !== undefined ? inSql(span) : undefined;
  return (call: AnyCall, args: ReadonlyArray<unknown>): AnyCall => {
    const ended = (exit: Exit.Exit<unknown, unknown>, since: number): undefined => {
      seconds?.((performance.now() - since) / 1_000);
      if (Exit.isSuccess(exit)) {
        watch.succeeded();
        succeeded?.(exit.value, ...args);
        return undefined;
      }
      const error = Cause.findError(exit.cause);
      if (Result.isFailure(error)) return undefined;
      watch.failed(error.success);
      failed?.(error.success);
      return undefined;
    };
    // One frame for everything: this is on the hot path.
    const observed = Effect.suspend(() => {
      const since = performance.now();
      return Effect.onExitPrimitive(spanned?.(call) ?? call, (exit) => ended(exit, since));
    });
    return needsPermit === true ? permits.withPermit(observed) : observed;
  };
};

/** Runs a call that is one statement of the database inside a span, if it is traced. */
const inSql = (statement: string) =>
  inSpan(`sql ${statement}`, {
    kind: "client",
    attributes: { "db.system.name": "postgresql", "db.query.summary": statement },
  });
