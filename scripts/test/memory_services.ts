import { Context, Effect } from "effect";

import { makeMemoryEventLog } from "../../adapters/memory/event_log.ts";
import { makeMemoryProjection } from "../../adapters/memory/projection.ts";
import { makeMemoryQueue } from "../../adapters/memory/queue.ts";
import { makeMemoryStore } from "../../adapters/memory/store.ts";
import { makeMemorySummaries } from "../../adapters/memory/summaries.ts";
import { appendJobs } from "../../core/log/append_jobs.ts";
import { EventLog } from "../../core/log/event_log.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { Queue } from "../../core/queue/queue.ts";
import { makeSignals } from "../../core/signal.ts";
import { Summaries } from "../../core/summary/summaries.ts";

const SHARDS = 2;

/** All stations of a service in memory, where nothing moves by itself: a test says when. */
export interface MemoryServices {
  readonly services: Context.Context<Queue | EventLog | Projection | Summaries>;
  /** Appends and folds everything that was accepted; returns how many events the log then holds. */
  readonly settle: () => Promise<number>;
}

export const makeMemoryServices = (): MemoryServices => {
  const store = makeMemoryStore(SHARDS);
  const services = Context.empty().pipe(
    Context.add(
      Queue,
      makeMemoryQueue({ queued: makeSignals().queued, leaseMs: 60_000, retriesMax: 2 }),
    ),
    Context.add(EventLog, makeMemoryEventLog(store)),
    Context.add(Projection, makeMemoryProjection(store)),
    Context.add(Summaries, makeMemorySummaries(store)),
  );
  return { services, settle: () => Effect.runPromiseWith(services)(settle) };
};

const settle = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  for (;;) {
    const jobs = yield* queue.take(Number.MAX_SAFE_INTEGER);
    if (jobs.length === 0) break;
    yield* queue.settle(yield* appendJobs(jobs));
  }
  yield* catchUp;
  const heads = yield* log.heads;
  return heads.reduce((events, { position }) => events + position, 0);
});
