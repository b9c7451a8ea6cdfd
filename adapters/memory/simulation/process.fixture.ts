import { Clock, Context, Effect, Fiber, Latch } from "effect";

import { makeQuotas, type TokenBuckets } from "../../../core/access/quotas.ts";
import { Admission, makeAdmission } from "../../../core/command/admission.ts";
import { makeCapacity, UNKNOWN_MAX_MS } from "../../../core/command/capacity.ts";
import { watchLoad } from "../../../core/command/watch_load.ts";
import { EventLog } from "../../../core/log/event_log.ts";
import { Invalidations } from "../../../core/projection/invalidations.ts";
import { type Checkpoint, Projection } from "../../../core/projection/projection.ts";
import { runProjector } from "../../../core/projection/projector.ts";
import { makeHorizon } from "../../../core/query/horizon.ts";
import { makeSummaryCache, SummaryCache } from "../../../core/query/summary_cache.ts";
import {
  ANNOUNCEMENT_PATIENCE_MS,
  watchCheckpoints,
} from "../../../core/query/watch_checkpoints.ts";
import { Queue } from "../../../core/queue/queue.ts";
import { runWorker } from "../../../core/queue/worker.ts";
import { makeSignals, Signals } from "../../../core/signal.ts";
import { Summaries } from "../../../core/summary/summaries.ts";
import { makeAnswerMemory } from "../answers.ts";
import { makePorts } from "./ports.fixture.ts";
import { present } from "./summary_text.fixture.ts";
import { type Caller, makeWire } from "./wire.fixture.ts";
import type { World } from "./world.fixture.ts";

/** What a process does beside answering requests, which all of them do. */
export interface Roles {
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

/** What the admission of a process has done. */
export interface Admitted {
  /** Events that quotas were charged for, less those that were given back. */
  readonly charged: number;
  /** Events of the batches that were enqueued, where there are quotas. */
  readonly enqueued: number;
  /** Batches that were let in while the process could not know how much waits. */
  readonly blind: ReadonlyArray<string>;
}

/** One process of the service: the loops of core, behind a wire of its own. */
export interface Process extends Caller {
  /** Runs the handler of a request, which goes on when its client does not wait any more. */
  readonly handle: <A, E>(
    handler: Effect.Effect<A, E, Services>,
  ) => Effect.Effect<Fiber.Fiber<A, E>>;
  /** Holds up all its calls, as a machine does that has no time for it. */
  readonly freeze: (ms: number) => void;
  readonly isFrozen: () => boolean;
  /** Ends it as an operator would: it finishes what it has in hand. */
  readonly stop: Effect.Effect<void>;
  /** Returns when it takes no more requests, because it died or is being stopped. */
  readonly ended: Effect.Effect<void>;
  /** The checkpoint of a shard that what it answers from now on must not be behind. */
  readonly knows: (shard: number) => number;
  readonly admitted: () => Admitted;
  /** The loops that have come to an end. */
  readonly endedLoops: () => ReadonlyArray<string>;
  readonly loops: number;
}

/** What a look at the checkpoints brought. */
interface Seen {
  readonly at: number;
  readonly checkpoints: ReadonlyArray<Checkpoint>;
}

/** Enough to keep everything that a world asks for. */
const ANSWERS_BYTES_MAX = 1_000_000;

/** Starts a process. */
export const startProcess = Effect.fnUntraced(function* (world: World, name: string, roles: Roles) {
  const { faults, trace, plant, backend, conditions, random } = world;
  const ended = Latch.makeUnsafe();
  const clock = yield* Clock.Clock;
  let alive = true;
  let frozenUntil = 0;
  const caller: Caller = {
    name,
    isAlive: () => alive,
    thaw: Effect.suspend(() => {
      const leftMs = frozenUntil - clock.currentTimeMillisUnsafe();
      return leftMs > 0 ? Effect.andThen(Effect.sleep(leftMs), caller.thaw) : Effect.void;
    }),
    crash: (why) => {
      if (!alive) return;
      alive = false;
      trace.note(name, `dies ${why}`);
      ended.openUnsafe();
    },
  };
  const wire = makeWire(caller, faults, trace);
  const wired = makePorts({ wire, backend, random, conditions, faults });
  const ports = plant.ports?.(wired, wire, backend) ?? wired;
  const signals = makeSignals();

  let charged = 0;
  let enqueued = 0;
  const blind: string[] = [];
  /** When the last load was read, of which the heads of the log are the end. */
  let readAt = Number.NEGATIVE_INFINITY;
  const now = () => clock.currentTimeMillisUnsafe();
  const log: EventLog["Service"] = {
    ...ports.log,
    heads: Effect.tap(ports.log.heads, () => Effect.sync(() => (readAt = now()))),
  };
  const enqueue: Queue["Service"]["enqueue"] = (batch, priority) =>
    Effect.suspend(() => {
      const age = now() - readAt;
      if (age > UNKNOWN_MAX_MS) blind.push(`${name} let in a batch ${age} ms after its last load`);
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

  const plain = makeHorizon();
  const horizon = plant.horizon?.(plain) ?? plain;
  const cache = yield* makeSummaryCache({
    shards: conditions.shards,
    horizon,
    memory: makeAnswerMemory(ANSWERS_BYTES_MAX),
    store: world.answers,
    present,
  });
  const services = Context.empty().pipe(
    Context.add(Admission, admission),
    Context.add(Queue, { ...ports.queue, enqueue }),
    Context.add(EventLog, log),
    Context.add(Projection, ports.projection),
    Context.add(Summaries, ports.summaries),
    Context.add(SummaryCache, cache),
    Context.add(Invalidations, world.bus),
    Context.add(Signals, signals),
  );
  const handle: Process["handle"] = (handler) =>
    Effect.forkDetach(Effect.provideContext(handler, services));

  trace.note(
    name,
    `starts${roles.worker ? ", worker" : ""}${roles.projector ? ", projector" : ""}`,
  );
  const seen: Seen[] = [];
  const loops = new Map<string, Fiber.Fiber<never>>();
  if (roles.worker) loops.set("worker", yield* handle(runWorker));
  if (roles.projector) loops.set("projector", yield* handle(runProjector));
  loops.set("watch of the load", yield* handle(watchLoad(capacity, () => {})));
  if (conditions.reads) {
    const watched: Projection["Service"] = {
      ...ports.projection,
      checkpoints: Effect.tap(ports.projection.checkpoints, (checkpoints) =>
        Effect.sync(() => seen.push({ at: clock.currentTimeMillisUnsafe(), checkpoints })),
      ),
    };
    const watch = Effect.andThen(
      world.bus.subscribe(horizon.announce),
      Effect.provideService(watchCheckpoints(horizon), Projection, watched),
    );
    loops.set("watch", yield* handle(Effect.scoped(watch)));
  }
  const process: Process = {
    ...caller,
    handle,
    ended: ended.await,
    freeze: (ms) => {
      trace.note(name, `stands still for ${ms} ms`);
      frozenUntil = clock.currentTimeMillisUnsafe() + ms;
    },
    isFrozen: () => frozenUntil > clock.currentTimeMillisUnsafe(),
    stop: Effect.suspend(() => {
      trace.note(name, "is stopped");
      ended.openUnsafe();
      return Effect.asVoid(Effect.forkDetach(Fiber.interruptAll(loops.values())));
    }),
    knows: (shard) => {
      const before = clock.currentTimeMillisUnsafe() - ANNOUNCEMENT_PATIENCE_MS;
      const last = seen.findLast(({ at }) => at < before);
      return last?.checkpoints.find((one) => one.shard === shard)?.position ?? 0;
    },
    admitted: () => ({ charged, enqueued, blind }),
    endedLoops: () => [...loops].flatMap(([loop, fiber]) => (fiber.pollUnsafe() ? [loop] : [])),
    loops: loops.size,
  };
  return process;
});
