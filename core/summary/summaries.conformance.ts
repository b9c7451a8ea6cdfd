import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import { accountLog } from "../log/account_log.fixture.ts";
import type { EventLog } from "../log/event_log.ts";
import type { Projection } from "../projection/projection.ts";
import { type Range, rangeOf } from "./range.ts";
import type { Summaries } from "./summaries.ts";
import { type Summary, type SummaryCounts, summarise } from "./summary.ts";

export interface OpenedSummaries {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly summaries: Summaries["Service"];
  readonly close: () => Promise<void>;
}

/** What every adapter of `Summaries` promises. `open` makes an empty log. */
export const summariesConformance = (
  adapter: string,
  open: () => Promise<OpenedSummaries>,
): void => {
  const test = suite(`Summaries: ${adapter}`);
  let opened: OpenedSummaries;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const { append, freshAccount, project } = accountLog(() => opened);
  const summaryOf = (accountId: string, range: Range, top = 10): Promise<Summary> =>
    Effect.runPromise(opened.summaries.summary(accountId, range, top));
  const counted = ({ totals, topUsers }: SummaryCounts) => ({
    totals: Object.fromEntries([...totals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    topUsers,
  });

  const everything: Range = { from: Date.UTC(2000, 0), to: Date.UTC(2100, 0) };

  test("an unknown account has an empty summary", async () => {
    const summary = await summaryOf("never-seen", everything);
    assert.equal(counted(summary), { totals: {}, topUsers: [] });
    assert.ok(Math.abs(Date.now() - summary.asOf) < 60_000);
  });

  test("a window starts with its first millisecond and ends before its last", async () => {
    for (const window of ["last_24h", "last_7d"] as const) {
      const accountId = freshAccount();
      const now = Date.UTC(2026, 0, 31, 9, 30, 0, 123);
      const range = rangeOf(window, now);
      const at = { before: range.from - 1, first: range.from, last: now - 1, now, after: now + 1 };
      await append(
        Object.entries(at).map(([userId, occurredAt]) =>
          anEvent({ accountId, eventId: userId, userId, occurredAt }),
        ),
      );
      await project(accountId);
      assert.equal(counted(await summaryOf(accountId, range)), {
        totals: { login: 2 },
        topUsers: [
          { userId: "first", events: 1 },
          { userId: "last", events: 1 },
        ],
      });
    }
  });

  test("users with equal counts are in the byte order of their ids, and `top` cuts there", async () => {
    const accountId = freshAccount();
    const users = ["b", "B", "a", "ä", "\uffee", "😀", "aa"];
    await append(users.map((userId, i) => anEvent({ accountId, eventId: `${i}`, userId })));
    await append([anEvent({ accountId, eventId: "extra", userId: "😀" })]);
    await project(accountId);
    const order = ["😀", "B", "a", "aa", "b", "ä", "\uffee"];
    for (const top of [1, 3, 7, 100]) {
      const { topUsers } = await summaryOf(accountId, everything, top);
      assert.equal(
        topUsers.map(({ userId }) => userId),
        order.slice(0, top),
      );
    }
  });

  test("any stream over any range has the summary of its definition", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventStream({ accounts: ["x"], eventIds: 60 }, 40), { maxLength: 4 }),
        fc.array(fc.tuple(moment, moment, fc.integer({ min: 1, max: 6 })), { minLength: 4 }),
        async (streams, reads) => {
          const accountId = freshAccount();
          const kept: Event[] = [];
          for (const stream of streams) {
            const mine = stream.map((event) => ({ ...event, accountId }));
            await append(mine);
            await project(accountId);
            kept.push(...mine);
          }
          const { events } = collapse(kept);
          for (const [a, b, top] of reads) {
            const range = { from: Math.min(a, b), to: Math.max(a, b) };
            assert.equal(
              counted(await summaryOf(accountId, range, top)),
              counted(summarise(events, range, top)),
            );
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("a summary shows the checkpoint: events that are not folded yet are in no part of it", async () => {
    const accountId = freshAccount();
    const hour = Date.UTC(2026, 0, 31, 9);
    const one = (eventId: string, occurredAt: number) =>
      anEvent({ accountId, eventId, occurredAt });
    // At the edge of the range, where the log itself is read, and inside it.
    const range = { from: hour - 1_800_000, to: hour + 5_400_000 };
    await append([one("1", hour - 1), one("2", hour), one("3", hour + 3_600_000)]);
    await project(accountId, 2);
    const partial = await summaryOf(accountId, range);
    assert.equal(counted(partial).totals, { login: 2 });
    await project(accountId);
    const whole = await summaryOf(accountId, range);
    assert.equal(counted(whole).totals, { login: 3 });
    assert.ok(partial.asOf <= whole.asOf);
    assert.is(whole.checkpoint - partial.checkpoint, 1);
  });

  test("a sample contains accounts with events, each once, and at most the limit", async () => {
    const accounts = Array.from({ length: 12 }, freshAccount);
    for (const accountId of accounts) {
      await append([anEvent({ accountId, eventId: "1" }), anEvent({ accountId, eventId: "2" })]);
      await project(accountId);
    }
    const all = await Effect.runPromise(opened.summaries.sampleAccounts(100, ""));
    assert.is(new Set(all).size, all.length);
    for (const accountId of accounts) assert.ok(all.includes(accountId));
    for (const limit of [1, 5]) {
      const some = await Effect.runPromise(opened.summaries.sampleAccounts(limit, ""));
      assert.is(some.length, limit);
      for (const accountId of some) assert.ok(all.includes(accountId));
    }
  });

  test("a sample with a prefix contains only accounts that start with it", async () => {
    const prefix = freshAccount();
    const inside = [prefix, `${prefix}-`, `${prefix}-1`, `${prefix}ä`, `${prefix}\u{1f600}`];
    const outside = [`x${prefix}`, prefix.slice(0, -1), `${prefix.slice(0, -1)}\u{10ffff}`];
    for (const accountId of [...inside, ...outside]) {
      await append([anEvent({ accountId, eventId: "1" })]);
      await project(accountId);
    }
    const sample = (limit: number, of: string) =>
      Effect.runPromise(opened.summaries.sampleAccounts(limit, of));
    assert.equal((await sample(100, prefix)).toSorted(), inside.toSorted());
    assert.is((await sample(3, prefix)).length, 3);
    assert.equal(await sample(100, `${prefix}-2`), []);
  });

  test.run();
};
