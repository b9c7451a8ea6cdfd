import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeFakeLog } from "../../core/log/event_log.fixture.ts";
import { EventLog } from "../../core/log/event_log.ts";
import { makeFakeProjection } from "../../core/projection/projection.fixture.ts";
import { makeFakeQueue } from "../../core/queue/queue.fixture.ts";
import type { Job } from "../../core/queue/queue.ts";
import { followedProjection, followedQueue } from "./followed_ports.ts";

const test = suite("followed ports");

const aJob = (id: string): Job => ({
  id,
  batch: { events: [anEvent({ eventId: id })], duplicates: 0, conflicts: 0 },
  retries: 0,
  queuedAt: 0,
});

test("jobs are followed once, when they are appended, however often settling is tried", async () => {
  const fake = makeFakeQueue();
  const followed: string[][] = [];
  const follow = (jobs: ReadonlyArray<Job>): Effect.Effect<void, never, EventLog> =>
    Effect.map(EventLog, () => void followed.push(jobs.map(({ id }) => id)));
  const queue = followedQueue(fake.service, makeFakeLog().service, { follow });
  const counts = { appended: 1, duplicates: 0, conflicts: 0 };
  const failed = { _tag: "Failed", job: aJob("2"), reason: "a test" } as const;
  let tries = 0;
  fake.acknowledgeAway = () => ++tries < 3;
  const settle = queue.acknowledge([{ _tag: "Completed", job: aJob("1"), counts }, failed]);
  await Effect.runPromise(Effect.retry(settle, { times: 5 }));
  assert.is(tries, 3);
  assert.equal(followed, [["1"]]);
});

test("what this process folds is told at once, and what it does not is not", async () => {
  const fake = makeFakeProjection([5, 5]);
  const moves: Array<readonly [number, number]> = [];
  const projection = followedProjection(fake.service, {
    moved: (shard, checkpoint) => moves.push([shard, checkpoint]),
  });
  await Effect.runPromise(projection.step(1, 3));
  await Effect.runPromise(projection.skip(1, 4, "a test"));
  fake.leased = () => true;
  await Effect.runPromise(projection.step(0, 3));
  assert.equal(moves, [
    [1, 3],
    [1, 4],
  ]);
});

test.run();
