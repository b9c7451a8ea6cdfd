import { Effect, Result } from "effect";

import { eventsIn } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { makeFirstEvents } from "../event/first_events.ts";
import { shardOf } from "../event/shard.ts";
import type { Counts, Job, Acknowledgement } from "../queue/queue.ts";
import { type Appended, EventLog, type LogUnavailable } from "./event_log.ts";

/**
 * Appends the events of jobs to the log and says how each job ended. Jobs that the log refuses are
 * found by halving, so that one poison job neither fails nor holds up its neighbours. Those with events
 * of a shard that somebody else holds fail for now, and the others do not wait for it.
 *
 * @errors `LogUnavailable`: some may be appended, none is lost; append the same jobs again
 */
export const appendJobs = (jobs: ReadonlyArray<Job>): Settling => appendOrHalve(jobs, new Set());

/**
 * With so many events a worker is short of time: it looks for more at once, and a call appends to all shards at the
 * same time, because to wait for each answer would be too slow. With fewer a call appends to one shard after the
 * other, because all together take every processor from requests for a while.
 */
export const MANY_EVENTS = 2_000;

type Settling = Effect.Effect<ReadonlyArray<Acknowledgement>, LogUnavailable, EventLog>;

/**
 * The events that a call of `appendJobs` has appended so far. When it tries some of them again, by
 * halving or because it is run again, the log finds them there: they are no duplicates.
 */
type Mine = Set<Event>;

const appendOrHalve = (jobs: ReadonlyArray<Job>, mine: Mine): Settling =>
  Effect.catchTag(appendTogether(jobs, mine), "AppendRefused", (refused) =>
    isolate(jobs, mine, refused.cause),
  );

const isolate = (jobs: ReadonlyArray<Job>, mine: Mine, cause: unknown): Settling => {
  const [only] = jobs;
  if (jobs.length === 1 && only !== undefined) {
    return Effect.succeed([{ _tag: "Failed", job: only, reason: describe(cause) }]);
  }
  const middle = Math.ceil(jobs.length / 2);
  return Effect.gen(function* () {
    const settled = yield* appendOrHalve(jobs.slice(0, middle), mine);
    return [...settled, ...(yield* appendOrHalve(jobs.slice(middle), mine))];
  });
};

const describe = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);

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
  // Only now: an append that is broken off may be committed all the same, and nobody would know.
  const busy = new Set<number>();
  for (const outcome of outcomes) {
    if (Result.isFailure(outcome) && outcome.failure._tag === "ShardBusy") {
      busy.add(outcome.failure.shard);
    } else yield* Effect.fromResult(outcome);
  }
  return jobs.map((job, i): Acknowledgement => {
    const held = busy.size > 0 && isOnSome(busy, job, log.shards);
    return held
      ? { _tag: "Failed", job, reason: "a shard of the log was held by somebody else" }
      : { _tag: "Completed", job, counts: tallies[i] ?? NONE };
  });
});

const isOnSome = (shards: ReadonlySet<number>, { batch }: Job, shardCount: number): boolean =>
  batch.events.some(({ accountId }) => shards.has(shardOf(accountId, shardCount)));

const NONE: Counts = { appended: 0, duplicates: 0, conflicts: 0 };

type Tally = { -readonly [K in keyof Counts]: Counts[K] };

/** The events for one shard, and beside each the tally of the job that it came in. */
interface ShardAppend {
  readonly events: Event[];
  readonly owners: Tally[];
}

/** How many events are planned before whoever else runs on this thread has a turn. */
const TURN_EVENTS = 500;

/**
 * Sorts the events of all jobs by shard, each identity once: an append takes it only once, and two
 * jobs of one take may well carry the same event, one being the retry of the other.
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
      const held = first.add(event);
      if (held !== undefined) {
        if (held.fingerprint === event.fingerprint) tally.duplicates++;
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

/** The plan counts every event as appended; the log knows which were not. */
const correct = ({ events, owners }: ShardAppend, appended: Appended, mine: Mine): void => {
  const present = new Set([...appended.duplicates, ...appended.conflicts]);
  const move = (index: number, to: "duplicates" | "conflicts"): void => {
    const event = events[index];
    const tally = owners[index];
    if (event === undefined || tally === undefined || mine.has(event)) return;
    tally.appended--;
    tally[to]++;
  };
  for (const index of appended.duplicates) move(index, "duplicates");
  for (const index of appended.conflicts) move(index, "conflicts");
  for (const [index, event] of events.entries()) if (!present.has(index)) mine.add(event);
};
