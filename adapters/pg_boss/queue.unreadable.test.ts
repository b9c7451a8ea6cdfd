import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeSignal } from "../../core/signal.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { startBoss } from "./boss.ts";
import { makePgBossQueue } from "./queue.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";

const test = suite("Queue: pg-boss, with rows that cannot be read");

test("a row of an unknown version or without sense is retried on its own, and delays nobody", async () => {
  const { execute, close } = await createMigratedDatabase();
  const boss = await startBoss({ execute, supervise: false, onError: () => {} });
  try {
    const queue = makePgBossQueue({
      diagnose: () => "away",
      boss,
      execute,
      executeRead: execute,
      executeControl: execute,
      history: () => 0,
      executeIn: () => execute,
      queued: makeSignal(),
      bufferBytesMax: 33_554_432,
    });
    const unreadable = [
      { version: 1, parts: [] },
      { version: 2, parts: [{ events: 7 }], events: "AAAA" },
      null,
    ];
    for (const data of unreadable) await boss.insert(EVENTS_QUEUE, [{ data: data as object }]);
    const batch = { events: [anEvent()], duplicates: 0, conflicts: 0 };
    const id = await Effect.runPromise(queue.enqueue(batch));

    const taken = [];
    for (let i = 0; i < 4; i++) taken.push(...(await Effect.runPromise(queue.fetch(1_000))));
    assert.equal(
      taken.map((job) => job.id),
      [id],
    );
    const states = await execute(
      "select state::text from tidemark_queue.job order by created_on",
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
    await boss.stop({ graceful: false });
    await close();
  }
});

test.run();
