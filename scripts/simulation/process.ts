import { Clock, Context, Effect, Fiber, Latch } from "effect";

import { makeAnswerMemory } from "../../adapters/memory/answers.ts";
import { makeQuotas, type TokenBuckets } from "../../core/access/quotas.ts";
import { Admission, makeAdmission } from "../../core/command/admission.ts";
import { makeCapacity, SAMPLE_VALID_MS } from "../../core/command/capacity.ts";
import { sampleBacklogForever } from "../../core/command/sample_backlog.ts";
import { EventLog } from "../../core/log/event_log.ts";
import { Invalidations } from "../../core/projection/invalidations.ts";
import { type Checkpoint, Projection } from "../../core/projection/projection.ts";
import { runProjector } from "../../core/projection/projector.ts";
import { makeHorizon } from "../../core/query/horizon.ts";
import type { AccountSummary } from "../../core/query/summarise_account.ts";
import { makeSummaryCache, SummaryCache } from "../../core/query/summary_cache.ts";
import { INVALIDATION_PATIENCE_MS, watchCheckpoints } from "../../core/query/watch_checkpoints.ts";
import { Queue } from "../../core/queue/queue.ts";
import { runWorker } from "../../core/queue/worker.ts";
import { makeSignals, Signals } from "../../core/signal.ts";
import { Summaries } from "../../core/summary/summaries.ts";
import { type Caller, makeNetwork, makePorts } from "./network.ts";
import { withChanges } from "./planted_bugs.ts";
import type { World } from "./world.ts";

/** The background loops of a process. Every process also answers requests. */
interface Roles {
  readonly worker: boolean;
  readonly projector: boolean;
}

type Services =
  | Admission
  | Queue
  | EventLog
  | Projection
  | Invalidations
  | Signals
  | Summaries
  | SummaryCache;

/** What the admission control of a process did. */
interface Admitted {
  /** Events that quotas were charged for, less those that were given back. */
  readonly charged: number;
  /** Events that were enqueued, if accounts have quotas. */
  readonly enqueued: number;
  /** Batches that were admitted although the backlog was unknown. */
  readonly blind: ReadonlyArray<string>;
}

/** One process of the service: the loops and handlers of core, behind a network. */
export interface Process extends Caller {
  /** Runs the handler of a request, even after its client has given up. */
  readonly handle: <A, E>(
    handler: Effect.Effect<A, E, Services>,
  ) => Effect.Effect<Fiber.Fiber<A, E>>;
  /** Delays all its calls, as on a machine that does not schedule it. */
  readonly freeze: (ms: number) => void;
  readonly isFrozen: () => boolean;
  /** Shuts it down gracefully: it finishes what is in flight. */
  readonly stop: Effect.Effect<void>;
  /** Returns once it takes no more requests, because it died or is shutting down. */
  readonly ended: Effect.Effect<void>;
  /** The oldest checkpoint of a shard that its answers may show from now on. */
  readonly knows: (shard: number) => number;
  readonly admitted: () => Admitted;
  /** The loops that have ended. */
  readonly endedLoops: () => ReadonlyArray<string>;
  readonly loops: number;
}

/** The checkpoints that a process read. */
interface Observed {
  readonly at: number;
  readonly checkpoints: ReadonlyArray<Checkpoint>;
}

/** Enough to keep every answer of a run. */
const ANSWERS_BYTES_MAX = 1_000_000;

const startProcess = Effect.fnUntraced(function* (world: World, name: string, roles: Roles) {
  const { faults, history, plant, backend, conditions } = world;
  const ended = Latch.makeUnsafe();
  const clock = yield* Clock.Clock;
  const now = (): number => clock.currentTimeMillisUnsafe();
  let alive = true;
  let frozenUntil = 0;
  const caller: Caller = {
    name,
    isAlive: () => alive,
    thaw: Effect.suspend(() => {
      const leftMs = frozenUntil - now();
      return leftMs > 0 ? Effect.andThen(Effect.sleep(leftMs), caller.thaw) : Effect.void;
    }),
    crash: (how) => {
      if (!alive) return;
      alive = false;
      history.note(name, `dies ${how}`);
      ended.openUnsafe();
    },
  };
  const network = makeNetwork(caller, faults, history);
  const plainPorts = makePorts(network, world);
  const ports = withChanges(plainPorts, plant.ports?.(plainPorts, network, backend));
  const signals = makeSignals();

  let charged = 0;
  let enqueued = 0;
  const blind: string[] = [];
  /** When the last load was read. Reading the heads of the log is the last step of that. */
  let loadReadAt = Number.NEGATIVE_INFINITY;
  const log: EventLog["Service"] = {
    ...ports.log,
    heads: Effect.tap(ports.log.heads, () => Effect.sync(() => (loadReadAt = now()))),
  };
  const enqueue: Queue["Service"]["enqueue"] = (batch, priority) =>
    Effect.suspend(() => {
      const age = now() - loadReadAt;
      if (age > SAMPLE_VALID_MS) {
        blind.push(`${name} admitted a batch ${age} ms after it last read the load`);
      }
      return Effect.tap(ports.queue.enqueue(batch, priority), () => {
        if (conditions.eventsPerMinute !== undefined) enqueued += batch.events.length;
        return signals.queued.raise;
      });
    });
  const countEvents = (charges: ReadonlyArray<{ readonly events: number }>): number =>
    charges.reduce((sum, { events }) => sum + events, 0);
  const buckets: TokenBuckets = {
    take: (charges, at) =>
      Effect.tap(world.buckets.take(charges, at), (wait) =>
        Effect.sync(() => {
          if (wait === undefined) charged += countEvents(charges);
        }),
      ),
    giveBack: (charges, at) =>
      Effect.tap(world.buckets.giveBack(charges, at), () =>
        Effect.sync(() => (charged -= countEvents(charges))),
      ),
  };
  const plainQuotas = makeQuotas(buckets, () => conditions.eventsPerMinute);
  const plainCapacity = makeCapacity({
    queuedMax: conditions.queuedMax,
    laggingMax: conditions.queuedMax,
  });
  const capacity = plant.capacity?.(plainCapacity) ?? plainCapacity;
  const admission = makeAdmission({ capacity, quotas: plant.quotas?.(plainQuotas) ?? plainQuotas });

  const plainHorizon = makeHorizon();
  const horizon = plant.horizon?.(plainHorizon) ?? plainHorizon;
  const cache = yield* makeSummaryCache({
    shards: conditions.shards,
    horizon,
    memory: makeAnswerMemory(ANSWERS_BYTES_MAX),
    store: world.answers,
    present: summaryText,
  });
  const services = Context.empty().pipe(
    Context.add(Admission, admission),
    Context.add(Queue, { ...ports.queue, enqueue }),
    Context.add(EventLog, log),
    Context.add(Projection, ports.projection),
    Context.add(Summaries, ports.summaries),
    Context.add(SummaryCache, cache),
    Context.add(Invalidations, world.invalidations),
    Context.add(Signals, signals),
  );
  const handle: Process["handle"] = (handler) =>
    Effect.forkDetach(Effect.provideContext(handler, services));

  history.note(
    name,
    `starts${roles.worker ? ", worker" : ""}${roles.projector ? ", projector" : ""}`,
  );
  const observed: Observed[] = [];
  const loops = new Map<string, Fiber.Fiber<never>>();
  if (roles.worker) loops.set("worker", yield* handle(runWorker));
  if (roles.projector) loops.set("projector", yield* handle(runProjector));
  loops.set("load watch", yield* handle(sampleBacklogForever(capacity, () => {})));
  if (conditions.reads) {
    const watched: Projection["Service"] = {
      ...ports.projection,
      checkpoints: Effect.tap(ports.projection.checkpoints, (checkpoints) =>
        Effect.sync(() => observed.push({ at: now(), checkpoints })),
      ),
    };
    const watch = Effect.andThen(
      world.invalidations.subscribe(horizon.invalidate),
      Effect.provideService(watchCheckpoints(horizon), Projection, watched),
    );
    loops.set("checkpoint watch", yield* handle(Effect.scoped(watch)));
  }
  const process: Process = {
    ...caller,
    handle,
    ended: ended.await,
    freeze: (ms) => {
      history.note(name, `freezes for ${ms} ms`);
      frozenUntil = now() + ms;
    },
    isFrozen: () => frozenUntil > now(),
    stop: Effect.suspend(() => {
      history.note(name, "shuts down");
      ended.openUnsafe();
      return Effect.asVoid(Effect.forkDetach(Fiber.interruptAll(loops.values())));
    }),
    knows: (shard) => {
      const before = now() - INVALIDATION_PATIENCE_MS;
      const last = observed.findLast(({ at }) => at < before);
      return last?.checkpoints.find((one) => one.shard === shard)?.position ?? 0;
    },
    admitted: () => ({ charged, enqueued, blind }),
    endedLoops: () => [...loops].flatMap(([loop, fiber]) => (fiber.pollUnsafe() ? [loop] : [])),
    loops: loops.size,
  };
  return process;
});

/** A summary as it is sent. */
export interface SentSummary extends Pick<
  AccountSummary,
  "accountId" | "topUsers" | "range" | "asOf" | "checkpoint"
> {
  readonly totals: ReadonlyArray<readonly [type: string, events: number]>;
}

const summaryText = ({ totals, ...summary }: AccountSummary): string =>
  JSON.stringify({ ...summary, totals: [...totals] } satisfies SentSummary);

/** All processes of the service, running and ended. */
export interface Fleet {
  /** A process that takes requests now. */
  readonly any: () => Process | undefined;
  readonly running: () => ReadonlyArray<Process>;
  /** All processes that were ever started. */
  readonly started: () => ReadonlyArray<Process>;
  /** Processes that were shut down gracefully. */
  readonly stopped: () => ReadonlyArray<Process>;
}

const RESTART_MS = { min: 1, max: 3_000 };

/** Starts the processes of a world, and restarts each that ends with the same roles. */
export const startFleet = Effect.fnUntraced(function* (world: World) {
  const { random, conditions } = world;
  const started: Process[] = [];
  const running = new Set<Process>();

  const supervise = Effect.fnUntraced(function* (slot: string, roles: Roles) {
    for (let generation = 1; ; generation++) {
      const process = yield* startProcess(world, `${slot}.${generation}`, roles);
      started.push(process);
      running.add(process);
      yield* process.ended;
      running.delete(process);
      yield* Effect.sleep(random.magnitude(RESTART_MS.min, RESTART_MS.max));
    }
  });
  for (let i = 0; i < conditions.processes; i++) {
    // The first has every role, so that all work gets done eventually.
    const roles: Roles = {
      worker: i === 0 || random.chance(0.7),
      projector: i === 0 || random.chance(0.8),
    };
    yield* Effect.forkDetach(supervise("abc".charAt(i), roles));
  }

  const fleet: Fleet = {
    any: () => (running.size === 0 ? undefined : random.pick([...running])),
    running: () => [...running],
    started: () => started,
    stopped: () => started.filter((process) => !running.has(process) && process.isAlive()),
  };
  return fleet;
});
