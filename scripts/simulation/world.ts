import { Clock, Effect } from "effect";

import { makeAnswerMemory, makeMemoryAnswerStore } from "../../adapters/memory/answers.ts";
import { makeMemoryTokenBuckets } from "../../adapters/memory/token_buckets.ts";
import type { TokenBuckets } from "../../core/access/quotas.ts";
import type { Accepted } from "../../core/command/record_events.ts";
import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";
import type { AnswerStore } from "../../core/query/answer.ts";
import { type Backend, makeBackend } from "./backend.ts";
import { type Conditions, drawConditions } from "./conditions.ts";
import { type Faults, makeFaults } from "./faults.ts";
import { type Plant, withChanges } from "./planted_bugs.ts";
import { makeSeededRandom, type SeededRandom } from "./random.ts";

/** What all parts of one simulated run share. */
export interface World {
  readonly random: SeededRandom;
  readonly conditions: Conditions;
  readonly faults: Faults;
  readonly history: History;
  readonly plant: Plant;
  readonly backend: Backend;
  readonly ledger: Ledger;
  readonly invalidations: Invalidations["Service"];
  /** The token buckets of the quotas, shared by all processes. */
  readonly buckets: TokenBuckets;
  /** The cached answers that all processes share. */
  readonly answers: AnswerStore["Service"];
}

/** The simulated time at which every run starts. */
export const START = Date.UTC(2026, 0, 31, 9, 30);

const ANSWERS_BYTES_MAX = 1_000_000;

/** Sets up the world of a seed. Nothing runs in it yet. */
export const makeWorld = Effect.fnUntraced(function* (seed: number, plant: Plant) {
  const clock = yield* Clock.Clock;
  const random = makeSeededRandom(seed);
  const conditions = drawConditions(random);
  const faults = makeFaults(random, conditions);
  const backend = makeBackend(conditions, faults);
  const world: World = {
    random,
    conditions,
    faults,
    plant,
    history: makeHistory(() => clock.currentTimeMillisUnsafe() - START),
    backend: withChanges(backend, plant.backend?.(backend)),
    ledger: makeLedger(),
    invalidations: makeLossyInvalidations(random, faults),
    buckets: makeMemoryTokenBuckets(),
    answers: makeMemoryAnswerStore(makeAnswerMemory(ANSWERS_BYTES_MAX)),
  };
  return world;
});

/** A log of what happened in a run. The same seed gives the same lines. */
export interface History {
  /** @param actor a process, a client, or the world itself */
  readonly note: (actor: string, what: string) => void;
  readonly lines: ReadonlyArray<string>;
}

/** @param now the simulated time since the start of the run, in milliseconds */
const makeHistory = (now: () => number): History => {
  const lines: string[] = [];
  return {
    lines,
    note: (actor, what) => {
      lines.push(`${(now() / 1_000).toFixed(3).padStart(8)} ${actor.padEnd(9)} ${what}`);
    },
  };
};

/** An event as a client sends it. */
export interface SentEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly user_id: string;
  readonly type: string;
  readonly timestamp: string;
}

/** How a request ended for its client. `Unknown`: the client gave up without an answer. */
export type Outcome =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Rejected" }
  | { readonly _tag: "Accepted"; readonly accepted: Accepted };

/** One request. Retries send the same events. */
export interface Request {
  readonly events: ReadonlyArray<SentEvent>;
  outcome: Outcome;
}

/** What the clients sent and how it was answered: the oracles check the service against it. */
export interface Ledger {
  readonly requests: Request[];
  /** Every event of every request, duplicates included. */
  readonly events: SentEvent[];
  /** Records a request before it is sent for the first time. */
  readonly open: (events: ReadonlyArray<SentEvent>) => Request;
}

const makeLedger = (): Ledger => {
  const requests: Request[] = [];
  const sent: SentEvent[] = [];
  return {
    requests,
    events: sent,
    open: (events) => {
      const request: Request = { events, outcome: { _tag: "Unknown" } };
      requests.push(request);
      sent.push(...events);
      return request;
    },
  };
};

const INVALIDATION_DELAY_MAX_MS = 300;

/** Invalidations between processes. Each may be late or lost, for every process independently. */
const makeLossyInvalidations = (random: SeededRandom, faults: Faults): Invalidations["Service"] => {
  const listeners = new Set<(invalidation: Invalidation) => void>();
  return {
    publish: (invalidation) =>
      Effect.forEach(
        [...listeners],
        (listener) => {
          if (faults.happens("invalidationLost")) return Effect.void;
          const deliver = Effect.sync(() => listener(invalidation));
          const delayMs = random.between(0, INVALIDATION_DELAY_MAX_MS);
          return Effect.forkDetach(Effect.delay(deliver, delayMs));
        },
        { discard: true },
      ),
    subscribe: (listener) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => listeners.add(listener)),
          () => Effect.sync(() => listeners.delete(listener)),
        ),
      ),
  };
};
