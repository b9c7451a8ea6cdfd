import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
  TEST_SHARDS,
} from "../../scripts/test/migrated_database.ts";
import { makeAccountEvents } from "./account_events.ts";
import { makeEventLog } from "./event_log.ts";
import { openExplainingSession } from "./plans.fixture.ts";
import { makeProjection } from "./projection.ts";

// summaries.plan.test.ts tests the plans of all reads.
const test = suite<{ migrated: MigratedDatabase }>("the plan of a page of events");

test.before(async (context) => {
  context.migrated = await createMigratedDatabase();
});
test.after(({ migrated }) => migrated.close());

const NOW = Date.UTC(2026, 0, 31, 9, 30);

test("a page costs the same wherever in the list it begins, also among events of one instant", async ({
  migrated,
}) => {
  const { database, url } = migrated;
  const accountId = "paged";
  const shard = shardOf(accountId, TEST_SHARDS);
  const events = Array.from({ length: 20_000 }, (_, i) =>
    anEvent({ accountId, eventId: `${i}`, occurredAt: NOW - 1 - (i < 10_000 ? i : 10_000) }),
  );
  await Effect.runPromise(makeEventLog(database, TEST_SHARDS).append(shard, events));
  await Effect.runPromise(makeProjection(database).step(shard, 100_000));
  await database.query({ name: "vacuum", text: "vacuum analyze tidemark.events" }, []);

  const session = await openExplainingSession(url, "plain");
  await session.run({ name: "analyze plans", text: "set auto_explain.log_analyze = on" }, []);
  const accountEvents = makeAccountEvents(session.database, TEST_SHARDS);
  const last = await Effect.runPromise(makeEventLog(database, TEST_SHARDS).heads);
  const head = last.find((one) => one.shard === shard)?.position ?? 0;
  for (const [where, occurredAt, position] of [
    ["first", NOW, 0],
    ["in the middle", NOW - 9_000, 0],
    ["among those of one instant", NOW - 10_001, head - 5_000],
  ] as const) {
    session.plans();
    const page = await Effect.runPromise(
      accountEvents.page(accountId, {
        before: { occurredAt, position },
        from: Number.NEGATIVE_INFINITY,
        type: null,
        upTo: null,
        eventsMax: 100,
        bytesMax: 1_000_000,
        scannedMax: 50_000,
      }),
    );
    assert.is(page.events.length, 100);
    const plans = session.plans();
    // The scan of the index begins where the page begins and ends where it ends, without a sort.
    const found = /Index Only Scan Backward using events_\d_account.*rows=([\d.]+) loops=1\)/.exec(
      plans,
    );
    assert.is(Number(found?.[1]), 101, `${where}: ${plans}`);
  }
  await session.close();
});

test.run();
