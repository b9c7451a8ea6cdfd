import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import { accountLog } from "../log/account_log.fixture.ts";
import type { EventLog } from "../log/event_log.ts";
import type { Projection } from "../projection/projection.ts";
import type { Activity, ActivityRequest } from "./activity.ts";
import { INTERVAL_NAMES } from "./range.ts";
import { type BucketCount, countByBucket } from "./timeseries.ts";

export interface OpenedActivity {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly activity: Activity["Service"];
  readonly close: () => Promise<void>;
}

/** What every adapter of `Activity` promises. `open` makes an empty log. */
export const activityConformance = (adapter: string, open: () => Promise<OpenedActivity>): void => {
  const test = suite(`Activity: ${adapter}`);
  let opened: OpenedActivity;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const { append, freshAccount, project } = accountLog(() => opened);
  const everything: ActivityRequest = {
    range: { from: Date.UTC(2000, 0), to: Date.UTC(2100, 0) },
    interval: "hour",
    type: null,
    countsMax: 1_000,
  };
  const countsOf = async (accountId: string, request: Partial<ActivityRequest> = {}) => {
    const question = { ...everything, ...request };
    const { counts } = await Effect.runPromise(opened.activity.counts(accountId, question));
    return counts;
  };
  const sorted = (counts: ReadonlyArray<BucketCount>) =>
    counts
      .map(({ start, type, events }) => `${new Date(start).toISOString()} ${type} ${events}`)
      .toSorted();

  test("an unknown account has no counts", async () => {
    const { counts, asOf } = await Effect.runPromise(opened.activity.counts("never", everything));
    assert.equal(counts, []);
    assert.ok(Math.abs(Date.now() - asOf) < 60_000);
  });

  test("the first and the last bucket count only events in the range, to the millisecond", async () => {
    const accountId = freshAccount();
    const from = Date.UTC(2024, 1, 28, 22, 30);
    const to = Date.UTC(2024, 2, 1, 1, 30);
    const times = [
      from - 1,
      from,
      Date.UTC(2024, 1, 29) - 1,
      Date.UTC(2024, 1, 29, 12),
      to - 1,
      to,
    ];
    await append(times.map((occurredAt, i) => anEvent({ accountId, eventId: `${i}`, occurredAt })));
    await project(accountId);
    const range = { from, to };
    assert.equal(sorted(await countsOf(accountId, { range, interval: "day" })), [
      "2024-02-28T00:00:00.000Z login 2",
      "2024-02-29T00:00:00.000Z login 1",
      "2024-03-01T00:00:00.000Z login 1",
    ]);
    assert.equal(sorted(await countsOf(accountId, { range, interval: "hour" })), [
      "2024-02-28T22:00:00.000Z login 1",
      "2024-02-28T23:00:00.000Z login 1",
      "2024-02-29T12:00:00.000Z login 1",
      "2024-03-01T01:00:00.000Z login 1",
    ]);
  });

  test("any stream over any range has the counts of its definition", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventStream({ accounts: ["x"], eventIds: 60 }, 40), { maxLength: 4 }),
        fc.array(
          fc.record({
            ends: fc.tuple(moment, moment),
            interval: fc.constantFrom(...INTERVAL_NAMES),
            type: fc.constantFrom(null, "login", "call_made", "form_submitted"),
          }),
          { minLength: 5 },
        ),
        async (streams, reads) => {
          const accountId = freshAccount();
          const { events } = collapse(streams.flat().map((event) => ({ ...event, accountId })));
          for (let i = 0; i < events.length; i += 17) {
            await append(events.slice(i, i + 17));
            await project(accountId);
          }
          for (const { ends, interval, type } of reads) {
            const range = { from: Math.min(...ends), to: Math.max(...ends) };
            assert.equal(
              sorted(await countsOf(accountId, { range, interval, type })),
              sorted(countByBucket(events, range, interval, type)),
            );
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("the counts show the checkpoint, at the edges of the range and inside it", async () => {
    const accountId = freshAccount();
    const hour = Date.UTC(2026, 0, 31, 9);
    const range = { from: hour - 1_800_000, to: hour + 5_400_000 };
    const times = [hour - 1, hour, hour + 1, hour + 3_600_000];
    await append(times.map((occurredAt, i) => anEvent({ accountId, eventId: `${i}`, occurredAt })));
    for (const projected of [0, 1, 2, 3, 4]) {
      const counts = await countsOf(accountId, { range });
      assert.is(
        counts.reduce((sum, { events }) => sum + events, 0),
        projected,
      );
      await project(accountId, 1);
    }
  });

  test("no more counts are returned than requested", async () => {
    const accountId = freshAccount();
    const types = Array.from({ length: 30 }, (_, i) => `type_${i}`);
    await append(types.map((type) => anEvent({ accountId, eventId: type, type })));
    await project(accountId);
    for (const [countsMax, expected] of [
      [1, 1],
      [29, 29],
      [31, 30],
    ] as const) {
      assert.is((await countsOf(accountId, { countsMax })).length, expected);
    }
  });

  test.run();
};
