import { queuedIn } from "../core/event/batch.ts";
import { AccountEvents } from "../core/log/account_events.ts";
import { EventLog } from "../core/log/event_log.ts";
import { Projection } from "../core/projection/projection.ts";
import { DeadLetters } from "../core/queue/dead_letters.ts";
import { Queue } from "../core/queue/queue.ts";
import { Activity } from "../core/summary/activity.ts";
import { Summaries } from "../core/summary/summaries.ts";
import { type Instruments, observe } from "./observe_port.ts";

// What is measured of each port, and which of its operations need a permit.

export const observeQueue = observe(Queue, "queue", ({ meters, clock }) => {
  const requests = meters.counter(
    "tidemark_command_accepted_requests_total",
    "Accepted batches of events, each answered with 202.",
  )();
  const accepted = meters.counter(
    "tidemark_command_accepted_events_total",
    "Accepted events, duplicates included.",
  )();
  const jobs = meters.counter(
    "tidemark_queue_jobs_total",
    "Attempts at jobs, by outcome. Failed jobs are retried, and become dead letters in the end.",
  );
  const [completed, failed] = [jobs({ outcome: "completed" }), jobs({ outcome: "failed" })];
  const events = meters.counter(
    "tidemark_log_events_total",
    "Events of completed jobs, by outcome: appended, duplicate (same payload) or conflict (another payload).",
  );
  const appended = events({ outcome: "appended" });
  const duplicates = events({ outcome: "duplicate" });
  const conflicts = events({ outcome: "conflict" });
  const appendedAfter = visibleAfter(meters)({ stage: "append" });
  return {
    enqueue: {
      seconds: meters.histogram(
        "tidemark_queue_commit_duration_seconds",
        "Time to commit an accepted batch to the queue, including the wait for its group.",
      )(),
      succeeded: (_, batch) => {
        requests();
        accepted(queuedIn(batch));
      },
    },
    fetch: "not measured",
    heartbeat: "not measured",
    acknowledge: {
      succeeded: (_, acknowledgements) => {
        const now = clock.currentTimeMillisUnsafe();
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
      },
    },
    find: { needsPermit: true },
    backlog: "not measured",
  };
});

export const observeDeadLetters = observe(DeadLetters, "dead_letters", () => ({
  list: { needsPermit: true },
  find: { needsPermit: true },
  redrive: "not measured",
  drop: "not measured",
}));

export const observeEventLog = observe(EventLog, "log", ({ meters }) => {
  const failures = meters.counter(
    "tidemark_log_append_failures_total",
    "Failed appends, by reason: database unavailable, shard locked by another process, or data refused.",
  );
  const failed = {
    LogUnavailable: failures({ reason: "unavailable" }),
    ShardBusy: failures({ reason: "shard_busy" }),
    AppendRefused: failures({ reason: "refused" }),
  };
  return {
    shards: "a value",
    append: {
      span: "append",
      seconds: meters.histogram(
        "tidemark_log_append_duration_seconds",
        "Time of one append to one shard of the log.",
      )(),
      failed: ({ _tag }) => failed[_tag](),
    },
    heads: "not measured",
    read: "not measured",
  };
});

export const observeProjection = observe(Projection, "projection", ({ meters, clock }) => {
  const folded = meters.counter(
    "tidemark_projection_folded_events_total",
    "Events folded into the read models.",
  )();
  const poisoned = meters.counter(
    "tidemark_projection_poisoned_events_total",
    "Poison events: recorded and skipped because they cannot be folded.",
  )();
  const foldedAfter = visibleAfter(meters)({ stage: "fold" });
  return {
    lagging: "not measured",
    step: {
      span: "step",
      seconds: meters.histogram(
        "tidemark_projection_step_duration_seconds",
        "Time of one step of the projection on one shard.",
      )(),
      succeeded: ({ projected, oldestRecordedAt }) => {
        folded(projected);
        if (oldestRecordedAt === null) return;
        // Every event counts as the oldest of its step, so that none is measured too short.
        const now = clock.currentTimeMillisUnsafe();
        foldedAfter(secondsBetween(oldestRecordedAt, now), projected);
      },
    },
    skip: { succeeded: ({ projected }) => poisoned(projected) },
    upkeep: "not measured",
    checkpoints: "not measured",
    lag: "not measured",
  };
});

const visibleAfter = (meters: Instruments["meters"]) =>
  meters.histogram(
    "tidemark_accept_to_visible_seconds",
    "Time of accepted events to become visible in summaries, by stage. append: from just before the commit to the queue until the job is acknowledged. fold: from the append until the commit of the projector.",
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  );

/** Not below zero: the clocks of two processes, or of one and the database, can differ. */
const secondsBetween = (from: number, to: number): number => Math.max(0, to - from) / 1_000;

// Reads that no cache has answered.

export const observeSummaries = observe(Summaries, "summaries", ({ meters }) => ({
  summary: { ...query(meters, "summary"), span: "summary" },
  sampleAccounts: query(meters, "sample"),
}));

export const observeActivity = observe(Activity, "activity", ({ meters }) => ({
  counts: { ...query(meters, "timeseries"), span: "activity" },
}));

export const observeAccountEvents = observe(AccountEvents, "account_events", ({ meters }) => ({
  page: { ...query(meters, "events"), span: "account_events" },
}));

const query = (meters: Instruments["meters"], name: string) => {
  const durations = meters.histogram(
    "tidemark_query_duration_seconds",
    "Time of a database read for a query.",
  );
  return { seconds: durations({ query: name }), needsPermit: true } as const;
};
