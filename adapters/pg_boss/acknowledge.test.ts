import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeSignal } from "../../core/signal.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { startBoss } from "./boss.ts";
import { makePgBossQueue } from "./queue.ts";

const test = suite("settling jobs after a failover");

test("a job that was taken before a failover is not completed after it: its events may be gone", async () => {
  const { execute, close } = await createMigratedDatabase();
  const boss = await startBoss({ execute, supervise: false, onError: () => {} });
  try {
    let history = 0;
    const asked: number[] = [];
    const queue = makePgBossQueue({
      diagnose: () => "away",
      boss,
      execute,
      executeRead: execute,
      executeControl: execute,
      history: () => history,
      executeIn: (inHistory) => {
        asked.push(inHistory);
        return execute;
      },
      queued: makeSignal(),
      bufferBytesMax: 33_554_432,
    });
    const run = Effect.runPromise;
    const counts = { appended: 1, duplicates: 0, conflicts: 0 };
    const takeNew = async (eventId: string) => {
      const batch = { events: [anEvent({ eventId })], duplicates: 0, conflicts: 0 };
      const id = await run(queue.enqueue(batch));
      const jobs = await run(queue.fetch(1_000));
      assert.equal(
        jobs.map((job) => job.id),
        [id],
      );
      return { id, completed: jobs.map((job) => ({ _tag: "Completed", job, counts }) as const) };
    };
    const stateOf = async (id: string) => Option.getOrThrow(await run(queue.find(id))).state;

    const before = await takeNew("1");
    history = 1;
    await run(queue.acknowledge(before.completed));
    assert.is(await stateOf(before.id), "processing");

    const after = await takeNew("2");
    await run(queue.acknowledge(after.completed));
    assert.is(await stateOf(after.id), "completed");
    // A failover that is noticed only while they are settled stops it as well.
    assert.equal(asked, [1, 1]);
  } finally {
    await boss.stop({ graceful: false });
    await close();
  }
});

test.run();
