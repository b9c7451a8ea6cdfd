import { Clock, Effect } from "effect";

import { queuedIn } from "../../core/event/batch.ts";
import type { AccountEvents } from "../../core/log/account_events.ts";
import type { EventLog } from "../../core/log/event_log.ts";
import type { Projection } from "../../core/projection/projection.ts";
import type { Queue, Acknowledgement } from "../../core/queue/queue.ts";
import type { Activity } from "../../core/summary/activity.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import {
  ACCEPTED_EVENTS,
  ACCEPTED_REQUESTS,
  APPEND_DURATION,
  APPEND_FAILURES,
  FOLDED_EVENTS,
  LOG_EVENTS,
  POISONED_EVENTS,
  QUERY_DURATION,
  QUEUE_COMMIT_DURATION,
  QUEUE_JOBS,
  STEP_DURATION,
  VISIBLE_AFTER,
} from "./families.ts";
import type { Meters, Observe } from "./meters.ts";

/** Counts what is accepted into a queue, and what became of it. */
export const measuredQueue = (queue: Queue["Service"], meters: Meters): Queue["Service"] => {
  const requests = meters.counter(ACCEPTED_REQUESTS);
  const accepted = meters.counter(ACCEPTED_EVENTS);
  const committing = timed(meters.histogram(QUEUE_COMMIT_DURATION));
  const completed = meters.counter(QUEUE_JOBS, { outcome: "completed" });
  const failed = meters.counter(QUEUE_JOBS, { outcome: "failed" });
  const appended = meters.counter(LOG_EVENTS, { outcome: "appended" });
  const duplicates = meters.counter(LOG_EVENTS, { outcome: "duplicate" });
  const conflicts = meters.counter(LOG_EVENTS, { outcome: "conflict" });

  const appendedAfter = meters.histogram(VISIBLE_AFTER, { stage: "append" });

  const countAcknowledged = (
    acknowledgements: ReadonlyArray<Acknowledgement>,
    now: number,
  ): void => {
    for (const acknowledgement of acknowledgements) {
      if (acknowledgement._tag === "Failed") {
        failed();
        continue;
      }
      completed();
      appended(acknowledgement.counts.appended);
      duplicates(acknowledgement.counts.duplicates);
      conflicts(acknowledgement.counts.conflicts);
      const { queuedAt, batch } = acknowledgement.job;
      appendedAfter(secondsBetween(queuedAt, now), batch.events.length);
    }
  };

  return {
    ...queue,
    enqueue: (batch, priority) =>
      Effect.tap(committing(queue.enqueue(batch, priority)), () =>
        Effect.sync(() => {
          requests();
          accepted(queuedIn(batch));
        }),
      ),
    acknowledge: (acknowledgements) =>
      Effect.tap(queue.acknowledge(acknowledgements), () =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          countAcknowledged(acknowledgements, now);
        }),
      ),
  };
};

/** Measures the appends to a log. */
export const measuredEventLog = (log: EventLog["Service"], meters: Meters): EventLog["Service"] => {
  const appending = timed(meters.histogram(APPEND_DURATION));
  const failures = {
    LogUnavailable: meters.counter(APPEND_FAILURES, { reason: "unavailable" }),
    ShardBusy: meters.counter(APPEND_FAILURES, { reason: "shard_busy" }),
    AppendRefused: meters.counter(APPEND_FAILURES, { reason: "refused" }),
  };
  return {
    ...log,
    append: (shard, events) =>
      Effect.tapError(appending(log.append(shard, events)), ({ _tag }) =>
        Effect.sync(() => {
          failures[_tag]();
        }),
      ),
  };
};

/** Measures the steps of a projection. */
export const measuredProjection = (
  projection: Projection["Service"],
  meters: Meters,
): Projection["Service"] => {
  const stepping = timed(meters.histogram(STEP_DURATION));
  const folded = meters.counter(FOLDED_EVENTS);
  const poisoned = meters.counter(POISONED_EVENTS);
  const foldedAfter = meters.histogram(VISIBLE_AFTER, { stage: "fold" });
  return {
    ...projection,
    step: (shard, limit) =>
      Effect.tap(stepping(projection.step(shard, limit)), ({ projected, oldestRecordedAt }) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          folded(projected);
          // All events of the step as if they were its oldest: never too short.
          if (oldestRecordedAt !== null) {
            foldedAfter(secondsBetween(oldestRecordedAt, now), projected);
          }
        }),
      ),
    skip: (shard, position, reason) =>
      Effect.tap(projection.skip(shard, position, reason), ({ projected }) =>
        Effect.sync(() => {
          poisoned(projected);
        }),
      ),
  };
};

/** The ports that queries read the database through. */
export interface Reads {
  readonly summaries: Summaries["Service"];
  readonly activity: Activity["Service"];
  readonly accountEvents: AccountEvents["Service"];
}

/** Measures the reads behind queries: what no cache has answered. */
export const measuredReads = (
  { summaries, activity, accountEvents }: Reads,
  meters: Meters,
): Reads => {
  const of = (query: string) => timed(meters.histogram(QUERY_DURATION, { query }));
  const summary = of("summary");
  const sample = of("sample");
  const timeseries = of("timeseries");
  const events = of("events");
  return {
    summaries: {
      ...summaries,
      summary: (...question) => summary(summaries.summary(...question)),
      sampleAccounts: (...question) => sample(summaries.sampleAccounts(...question)),
    },
    activity: { ...activity, counts: (...question) => timeseries(activity.counts(...question)) },
    accountEvents: {
      ...accountEvents,
      page: (...question) => events(accountEvents.page(...question)),
    },
  };
};

/** Two processes, or the database and one of them, may take the times of the two events: their clocks differ. */
const secondsBetween = (from: number, to: number): number => Math.max(0, to - from) / 1_000;

/** Observes how many seconds an effect took, however it ended. */
const timed =
  (observe: Observe) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const since = performance.now();
      return Effect.onExit(effect, () =>
        Effect.sync(() => {
          observe((performance.now() - since) / 1_000);
        }),
      );
    });
