import { Effect, Result } from "effect";

import { eventsIn, queuedIn } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { makeFirstEvents } from "../event/first_events.ts";
import { shardOf } from "../event/shard.ts";
import { invariant, present } from "../invariant.ts";
import { messageOf } from "../printable.ts";
import type { Acknowledgement, Counts, Job } from "../queue/queue.ts";
import { type Appended, EventLog, type LogUnavailable } from "./event_log.ts";

/**
 * Appends the events of jobs to the log, and returns the outcome of each job. Jobs that the log refuses are found by
 * halving, so one poison job neither fails nor delays the others. Jobs with events of a shard that another process holds
 * fail for now; the others do not wait for that shard.
 *
 * @errors `LogUnavailable`: some events may be appended, none is lost; append the same jobs again
 */
export const appendJobs = (jobs: ReadonlyArray<Job>): Outcomes => appendOrHalve(jobs, new Set());

/**
 * From this many events on, a worker is under load: it fetches more without a pause, and a call appends to all shards at
 * the same time, because waiting for one after the other would be too slow. With fewer events a call appends to one shard
 * after the other, because all together would take every processor from requests for a while.
 */
export const MANY_EVENTS = 2_000;

type Outcomes = Effect.Effect<ReadonlyArray<Acknowledgement>, LogUnavailable, EventLog>;

/**
 * The events that a call of `appendJobs` has appended so far. If it appends some of them again, because of halving or a
 * retry, the log finds them; they are not duplicates.
 */
type Mine = Set<Event>;

const appendOrHalve = (jobs: ReadonlyArray<Job>, mine: Mine): Outcomes =>
  Effect.catchTag(appendTogether(jobs, mine), "AppendRefused", (refused) =>
    isolate(jobs, mine, refused.cause),
  );

const isolate = (jobs: ReadonlyArray<Job>, mine: Mine, cause: unknown): Outcomes => {
  const [only] = jobs;
  if (jobs.length === 1 && only !== undefined) {
    return Effect.succeed([{ _tag: "Failed", job: only, reason: messageOf(cause) }]);
  }
  const middle = Math.ceil(jobs.length / 2);
  return Effect.gen(function* () {
    const first = yield* appendOrHalve(jobs.slice(0, middle), mine);
    return [...first, ...(yield* appendOrHalve(jobs.slice(middle), mine))];
  });
};

const appendTogether = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>, mine: Mine) {
  const log = yield* EventLog;
  const { tallies, shards } = yield* plan(jobs, log.shards);
  const outcomes = yield* Effect.forEach(
    shards,
    ([shard, append]) =>
      Effect.result(
        Effect.map(
          Effect.andThen(Effect.yieldNow, log.append(shard, append.events)),
          (appended) => {
            correct(append, appended, mine);
          },
        ),
      ),
    { concurrency: eventsIn(jobs) < MANY_EVENTS ? 1 : "unbounded" },
  );
  // Only after all appends have ended: an interrupted one may be committed without this call knowing.
  const busy = new Set<number>();
  for (const outcome of outcomes) {
    if (Result.isFailure(outcome) && outcome.failure._tag === "ShardBusy") {
      busy.add(outcome.failure.shard);
    } else yield* Effect.fromResult(outcome);
  }
  return jobs.map((job, i): Acknowledgement => {
    if (busy.size > 0 && isOnSome(busy, job, log.shards)) {
      return { _tag: "Failed", job, reason: "another process held a shard of the log" };
    }
    const counts = present(tallies[i], `job ${job.id} has no tally`);
    const { appended, duplicates, conflicts } = counts;
    invariant(
      appended >= 0 && appended + duplicates + conflicts === queuedIn(job.batch),
      `the counts of job ${job.id} do not add up to its events`,
    );
    return { _tag: "Completed", job, counts };
  });
});

const isOnSome = (shards: ReadonlySet<number>, { batch }: Job, shardCount: number): boolean =>
  batch.events.some(({ accountId }) => shards.has(shardOf(accountId, shardCount)));

type Tally = { -readonly [K in keyof Counts]: Counts[K] };

/** The events for one shard, and for each event the tally of its job. */
interface ShardAppend {
  readonly events: Event[];
  readonly owners: Tally[];
}

/** How many events are planned before other fibers get a turn. */
const TURN_EVENTS = 500;

/**
 * Groups the events of all jobs by shard, each identity once: an append accepts an identity only once, and two jobs of a
 * fetch may contain the same event, if one is a retry of the other.
 */
const plan = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>, shardCount: number) {
  const first = makeFirstEvents(eventsIn(jobs));
  const shards = new Map<number, ShardAppend>();
  const tallies: Tally[] = [];
  let planned = 0;
  for (const { batch } of jobs) {
    const { duplicates, conflicts } = batch;
    const tally: Tally = { appended: 0, duplicates, conflicts };
    tallies.push(tally);
    for (const event of batch.events) {
      const earlier = first.add(event);
      if (earlier !== undefined) {
        if (earlier.fingerprint === event.fingerprint) tally.duplicates++;
        else tally.conflicts++;
        continue;
      }
      tally.appended++;
      const shard = shardOf(event.accountId, shardCount);
      let append = shards.get(shard);
      if (append === undefined) shards.set(shard, (append = { events: [], owners: [] }));
      append.events.push(event);
      append.owners.push(tally);
    }
    planned += batch.events.length;
    if (planned < TURN_EVENTS) continue;
    planned = 0;
    yield* Effect.yieldNow;
  }
  return { tallies, shards };
});

/** The plan counts every event as appended. The receipt of the log says which were not. */
const correct = (
  { events, owners }: ShardAppend,
  { duplicates, conflicts }: Appended,
  mine: Mine,
): void => {
  const known = new Set([...duplicates, ...conflicts]);
  invariant(
    known.size === duplicates.length + conflicts.length,
    "the receipt of an append names an event twice",
  );
  const move = (index: number, to: "duplicates" | "conflicts"): void => {
    const outside = `the receipt of an append of ${events.length} events names event ${index}`;
    const event = present(events[index], outside);
    const tally = present(owners[index], outside);
    if (mine.has(event)) return;
    tally.appended--;
    tally[to]++;
  };
  for (const index of duplicates) move(index, "duplicates");
  for (const index of conflicts) move(index, "conflicts");
  for (const [index, event] of events.entries()) if (!known.has(index)) mine.add(event);
};
