import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { openQueue } from "./queue.fixture.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

const test = suite("Queue: pg-boss, with unreadable rows");

test("a row of an unknown version or with garbage is retried on its own and delays no other row", async () => {
  const { boss, queue, execute, enqueue, fetch, close } = await openQueue();
  try {
    const unreadable = [
      { version: 1, parts: [] },
      { version: 2, parts: [{ events: 7 }], events: "AAAA" },
      null,
    ];
    for (const data of unreadable) await boss.insert(EVENTS_QUEUE, [{ data: data as object }]);
    const id = await enqueue();

    const fetched = [];
    for (let i = 0; i < 4; i++) fetched.push(...(await fetch()));
    assert.equal(
      fetched.map((job) => job.id),
      [id],
    );
    const states = await execute(
      `select state::text from ${QUEUE_SCHEMA}.job order by created_on`,
      [],
    );
    assert.equal(
      states.rows
        .map((row) => (row as { state: string }).state)
        .toSorted((a, b) => (a < b ? -1 : 1)),
      ["active", "retry", "retry", "retry"],
    );
    const found = await boss.findJobs(EVENTS_QUEUE);
    for (const row of found.filter(({ state }) => state === "retry")) {
      assert.ok(Option.isNone(await Effect.runPromise(queue.find(row.id))));
    }
  } finally {
    await close();
  }
});

test.run();
