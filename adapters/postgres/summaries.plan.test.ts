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
import { makeActivity } from "./activity.ts";
import { makeEventLog } from "./event_log.ts";
import { openExplainingSession, ROLES } from "./plans.fixture.ts";
import { type Database, READ_SESSION } from "./pool.ts";
import { makeProjection } from "./projection.ts";
import { makeSummaries } from "./summaries.ts";

const test = suite<{ migrated: MigratedDatabase }>("the plans of reads");

test.before.each(async (context) => {
  context.migrated = await createMigratedDatabase();
});
test.after.each(({ migrated }) => migrated.close());

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 31, 9, 30);
const ACCOUNT = "acme";
const SHARD = shardOf(ACCOUNT, TEST_SHARDS);

/** Every read of the log, as the service makes it. */
const readsOn = (database: Database): Readonly<Record<string, Effect.Effect<unknown, unknown>>> => {
  const summaries = makeSummaries(database, TEST_SHARDS);
  const activity = makeActivity(database, TEST_SHARDS);
  const accountEvents = makeAccountEvents(database, TEST_SHARDS);
  const range = { from: NOW - 7 * DAY_MS, to: NOW };
  const counts = { range, interval: "hour", type: null, countsMax: 1_000 } as const;
  const page = {
    before: { occurredAt: NOW, position: 0 },
    from: Number.NEGATIVE_INFINITY,
    type: null,
    upTo: null,
    eventsMax: 1_000,
    bytesMax: 1_000_000,
    scannedMax: 50_000,
  };
  return {
    summary: summaries.summary(ACCOUNT, range, 10),
    "summary of an odd range": summaries.summary(ACCOUNT, { ...range, to: NOW - 1 }, 10),
    sample: summaries.sampleAccounts(10, ""),
    "sample of a prefix": summaries.sampleAccounts(10, "a"),
    timeseries: activity.counts(ACCOUNT, counts),
    "timeseries of a type": activity.counts(ACCOUNT, { ...counts, type: "login" }),
    events: accountEvents.page(ACCOUNT, page),
    "events of a type": accountEvents.page(ACCOUNT, { ...page, type: "custom", upTo: 5_000 }),
    lag: makeProjection(database).lag,
    "a slice of the log": makeEventLog(database, TEST_SHARDS).read(SHARD, 10, 100),
  };
};

const SCANS = /(?:Seq|Bitmap Heap) Scan on (?:events|activity_by_type)/;

for (const role of ROLES) {
  test(`no read scans the log or its hourly counts, on an empty log and later, with and without statistics, with a ${role} role`, async ({
    migrated,
  }) => {
    const { database, url } = migrated;
    const log = makeEventLog(database, TEST_SHARDS);
    const projection = makeProjection(database);
    const session = await openExplainingSession(url, role, READ_SESSION);
    const explainReads = async (when: string): Promise<void> => {
      for (const [name, read] of Object.entries(readsOn(session.database))) {
        // After five runs a session may cache a generic plan.
        for (let run = 0; run < 7; run++) {
          session.plans();
          await Effect.runPromise(read);
          const plans = session.plans();
          assert.match(plans, "plan:", `${name} ${when}`);
          assert.not.match(plans, SCANS, `${name} ${when}:\n${plans}`);
        }
      }
    };

    await explainReads("on an empty log");
    for (const accountId of [ACCOUNT, "other-1", "other-2", "other-3"]) {
      const events = Array.from({ length: 4_000 }, (_, i) =>
        anEvent({
          accountId,
          eventId: `${i}`,
          userId: `${i % 50}`,
          occurredAt: NOW - 1 - i * 60_000,
        }),
      );
      await Effect.runPromise(log.append(shardOf(accountId, TEST_SHARDS), events));
    }
    for (const shard of Array.from({ length: TEST_SHARDS }, (_, i) => i)) {
      await Effect.runPromise(projection.step(shard, 100_000));
    }
    await explainReads("by plans that were made on an empty log");
    await database.query({ name: "analyze", text: "analyze" }, []);
    await explainReads("with statistics");
    await session.close();
  });
}

test.run();
