import { Effect } from "effect";

import { type Event, identityOf } from "../event/event.ts";
import { shardOf } from "../event/shard.ts";
import type { Counts, Job, Settlement } from "../queue/queue.ts";
import { type Appended, EventLog, type LogUnavailable } from "./event_log.ts";

/**
 * Appends the events of jobs to the log and says how each job ended. Jobs that the log refuses are
 * found by halving, so that one poison job neither fails nor holds up its neighbours.
 *
 * @errors `LogUnavailable`: some may be appended, none is lost; append the same jobs again
 */
export const appendJobs: (
  jobs: ReadonlyArray<Job>,
) => Effect.Effect<ReadonlyArray<Settlement>, LogUnavailable, EventLog> = Effect.fnUntraced(
  function* (jobs: ReadonlyArray<Job>) {
    return yield* Effect.catchTag(appendTogether(jobs), "AppendRefused", (refused) =>
      isolate(jobs, refused.cause),
    );
  },
);

const isolate = (
  jobs: ReadonlyArray<Job>,
  cause: unknown,
): Effect.Effect<ReadonlyArray<Settlement>, LogUnavailable, EventLog> => {
  const [only] = jobs;
  if (jobs.length === 1 && only !== undefined) {
    return Effect.succeed([{ _tag: "Failed", job: only, reason: describe(cause) }]);
  }
  const middle = Math.ceil(jobs.length / 2);
  return Effect.gen(function* () {
    const settled = yield* appendJobs(jobs.slice(0, middle));
    return [...settled, ...(yield* appendJobs(jobs.slice(middle)))];
  });
};

const describe = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);

const appendTogether = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
  const log = yield* EventLog;
  const { tallies, shards } = plan(jobs, log.shards);
  yield* Effect.forEach(
    shards,
    ([shard, { events, owners }]) =>
      Effect.map(log.append(shard, events), (appended) => {
        correct(owners, appended);
      }),
    { concurrency: "unbounded", discard: true },
  );
  return jobs.map((job, i): Settlement => ({ _tag: "Completed", job, counts: tallies[i] ?? NONE }));
});

const NONE: Counts = { appended: 0, duplicates: 0, conflicts: 0 };

type Tally = { -readonly [K in keyof Counts]: Counts[K] };

/** The events for one shard, and beside each the tally of the job that it came in. */
interface ShardAppend {
  readonly events: Event[];
  readonly owners: Tally[];
}

/**
 * Sorts the events of all jobs by shard, each identity once: an append takes it only once, and two
 * jobs of one take may well carry the same event, one being the retry of the other.
 */
const plan = (jobs: ReadonlyArray<Job>, shardCount: number) => {
  const first = new Map<string, Event>();
  const shards = new Map<number, ShardAppend>();
  const tallies = jobs.map(({ batch }): Tally => {
    const { duplicates, conflicts } = batch;
    const tally: Tally = { appended: 0, duplicates, conflicts };
    for (const event of batch.events) {
      const identity = identityOf(event);
      const earlier = first.get(identity);
      if (earlier !== undefined) {
        if (earlier.fingerprint === event.fingerprint) tally.duplicates++;
        else tally.conflicts++;
        continue;
      }
      first.set(identity, event);
      tally.appended++;
      const shard = shardOf(event.accountId, shardCount);
      let append = shards.get(shard);
      if (append === undefined) shards.set(shard, (append = { events: [], owners: [] }));
      append.events.push(event);
      append.owners.push(tally);
    }
    return tally;
  });
  return { tallies, shards };
};

/** The plan counts every event as appended; the log knows which were not. */
const correct = (owners: ReadonlyArray<Tally>, appended: Appended): void => {
  for (const index of appended.duplicates) move(owners[index], "duplicates");
  for (const index of appended.conflicts) move(owners[index], "conflicts");
};

const move = (tally: Tally | undefined, to: "duplicates" | "conflicts"): void => {
  if (tally === undefined) return;
  tally.appended--;
  tally[to]++;
};
