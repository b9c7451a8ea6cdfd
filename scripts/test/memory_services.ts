import { Context, Effect } from "effect";

import { summaryText } from "../../adapters/koa/routes/get_summary.ts";
import { makeAnswerMemory, noAnswerStore } from "../../adapters/memory/answers.ts";
import { makeMemoryDeadLetters } from "../../adapters/memory/dead_letters.ts";
import { makeMemoryAccountEvents, makeMemoryEventLog } from "../../adapters/memory/event_log.ts";
import { makeMemoryProjection } from "../../adapters/memory/projection.ts";
import { makeMemoryQueue, type MemoryJobs } from "../../adapters/memory/queue.ts";
import { makeMemoryStore } from "../../adapters/memory/store.ts";
import { makeMemoryActivity, makeMemorySummaries } from "../../adapters/memory/summaries.ts";
import { NO_QUOTAS, type Quotas } from "../../core/access/quotas.ts";
import { Admission, makeAdmission } from "../../core/command/admission.ts";
import { type Capacity, makeCapacity } from "../../core/command/capacity.ts";
import { AccountEvents } from "../../core/log/account_events.ts";
import { appendJobs } from "../../core/log/append_jobs.ts";
import { EventLog } from "../../core/log/event_log.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { makeHorizon } from "../../core/query/horizon.ts";
import { makeSummaryCache, SummaryCache } from "../../core/query/summary_cache.ts";
import { DeadLetters } from "../../core/queue/dead_letters.ts";
import { Queue } from "../../core/queue/queue.ts";
import { makeSignals } from "../../core/signal.ts";
import { Activity } from "../../core/summary/activity.ts";
import { Summaries } from "../../core/summary/summaries.ts";

const SHARDS = 2;

/** All stations of a service in memory. Nothing happens until a test calls `drain`. */
export interface MemoryServices {
  readonly services: Context.Context<
    | Admission
    | Queue
    | DeadLetters
    | EventLog
    | Projection
    | Summaries
    | SummaryCache
    | Activity
    | AccountEvents
  >;
  /** Appends and folds all accepted events, and returns the number of events in the log. */
  readonly drain: () => Promise<number>;
}

export const makeMemoryServices = (quotas: Quotas = NO_QUOTAS): MemoryServices => {
  const store = makeMemoryStore(SHARDS);
  const jobs: MemoryJobs = new Map();
  const services = Context.empty().pipe(
    Context.add(Admission, makeAdmission({ capacity: idle(), quotas })),
    Context.add(
      Queue,
      makeMemoryQueue({ queued: makeSignals().queued, leaseMs: 60_000, retriesMax: 2 }, jobs),
    ),
    Context.add(DeadLetters, makeMemoryDeadLetters(jobs)),
    Context.add(EventLog, makeMemoryEventLog(store)),
    Context.add(Projection, makeMemoryProjection(store)),
    Context.add(Summaries, makeMemorySummaries(store)),
    Context.add(SummaryCache, emptyCache()),
    Context.add(Activity, makeMemoryActivity(store)),
    Context.add(AccountEvents, makeMemoryAccountEvents(store)),
  );
  return { services, drain: () => Effect.runPromiseWith(services)(drain) };
};

/** There is no backlog, and nothing measures it again. */
const idle = (): Capacity => {
  const capacity = makeCapacity({ queuedMax: 1_000_000, laggingMax: 1_000_000 });
  capacity
    .beginSample()
    .succeed({ at: Number.MAX_SAFE_INTEGER, queued: 0, appended: 0, folded: 0 });
  return capacity;
};

/** A cache without hits: as long as the checkpoints are unknown, every answer is stale. */
const emptyCache = (): SummaryCache["Service"] =>
  Effect.runSync(
    makeSummaryCache({
      shards: SHARDS,
      horizon: makeHorizon(),
      memory: makeAnswerMemory(1),
      store: noAnswerStore,
      present: summaryText,
    }),
  );

const drain = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  for (;;) {
    const jobs = yield* queue.fetch(Number.MAX_SAFE_INTEGER);
    if (jobs.length === 0) break;
    yield* queue.acknowledge(yield* appendJobs(jobs));
  }
  yield* catchUp;
  const heads = yield* log.heads;
  return heads.reduce((events, { position }) => events + position, 0);
});
