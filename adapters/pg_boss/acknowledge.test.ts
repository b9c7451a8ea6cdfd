import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { openQueue } from "./queue.fixture.ts";

const test = suite("acknowledging jobs after a failover");

test("a job that was fetched before a failover is not completed after it: its events may be lost", async () => {
  let history = 0;
  const histories: number[] = [];
  const { queue, enqueue, fetch, close } = await openQueue((execute) => ({
    history: () => history,
    executeIn: (inHistory) => {
      histories.push(inHistory);
      return execute;
    },
  }));
  try {
    const run = Effect.runPromise;
    const counts = { appended: 1, duplicates: 0, conflicts: 0 };
    const fetchNew = async (eventId: string) => {
      const id = await enqueue(eventId);
      const jobs = await fetch();
      assert.equal(
        jobs.map((job) => job.id),
        [id],
      );
      return { id, completed: jobs.map((job) => ({ _tag: "Completed", job, counts }) as const) };
    };
    const stateOf = async (id: string) => Option.getOrThrow(await run(queue.find(id))).state;

    const before = await fetchNew("1");
    history = 1;
    await run(queue.acknowledge(before.completed));
    assert.is(await stateOf(before.id), "processing");

    const after = await fetchNew("2");
    await run(queue.acknowledge(after.completed));
    assert.is(await stateOf(after.id), "completed");
    // A failover that happens while jobs are acknowledged stops that as well.
    assert.equal(histories, [1, 1]);
  } finally {
    await close();
  }
});

test.run();
