import { Context, Deferred, Effect, Layer, Ref, type Scope } from "effect";

import type { RequestListener } from "../adapters/koa/server/server.ts";
import type { Role } from "./configuration.ts";
import type { StationSources } from "./metrics/scrape.ts";

/** What readiness is judged by. */
export interface Health {
  readonly roles: ReadonlySet<Role>;
  /** "ok", or why the database cannot do its work. */
  readonly database: () => Promise<string>;
  /** "ok" or what is wrong; undefined in a service without Redis. */
  readonly redis?: (() => string) | undefined;
  /** Why the service breaks a promise though its database works, by what fails. */
  readonly faults?: () => Readonly<Record<string, string>>;
}

/** What a process serves once all of it runs: it opens as one value, or not at all. */
export interface Application {
  /** Answers requests. */
  readonly listener: RequestListener;
  readonly health: Health;
  /** What the metrics of a running service are read from. */
  readonly sources: StationSources;
}

/** Where the service is between its start and its end. */
export type Phase =
  | {
      readonly _tag: "Starting";
      /** What it waits for. */
      readonly reason: string;
      /** The reasons that were logged. */
      readonly logged: ReadonlySet<string>;
    }
  | { readonly _tag: "Running" | "Stopping"; readonly application: Application };

/** The current phase. The listener reads it for each request. */
export class CurrentPhase extends Context.Service<CurrentPhase, Ref.Ref<Phase>>()(
  "tidemark/CurrentPhase",
) {
  static readonly layer: Layer.Layer<CurrentPhase> = Layer.effect(
    CurrentPhase,
    Ref.make<Phase>({ _tag: "Starting", reason: "preparing the database", logged: new Set() }),
  );
}

/** Fails when a part of the service ends that must not; then the whole service ends. */
export class Ended extends Context.Service<Ended, Deferred.Deferred<never, Error>>()(
  "tidemark/Ended",
) {}

/**
 * Runs a loop until the scope closes. The service ends if the loop does, which only a defect can
 * cause.
 */
export const runLoop = <R>(
  loop: Effect.Effect<never, never, R>,
): Effect.Effect<void, never, R | Ended | Scope.Scope> =>
  Effect.flatMap(Ended, (ended) =>
    Effect.asVoid(
      Effect.forkScoped(Effect.tapDefect(loop, (defect) => Deferred.die(ended, defect))),
    ),
  );
