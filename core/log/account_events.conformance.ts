import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import type { Event, RecordedEvent } from "../event/event.ts";
import type { Projection } from "../projection/projection.ts";
import {
  type AccountEvents,
  type AccountEventsPage,
  bytesOnPage,
  type EventKey,
  pageOf,
  type PageRequest,
} from "./account_events.ts";
import { accountLog } from "./account_log.fixture.ts";
import type { EventLog } from "./event_log.ts";

export interface OpenedAccountEvents {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly accountEvents: AccountEvents["Service"];
  readonly close: () => Promise<void>;
}

/** What every adapter of `AccountEvents` promises. `open` makes an empty log. */
export const accountEventsConformance = (
  adapter: string,
  open: () => Promise<OpenedAccountEvents>,
): void => {
  const test = suite(`AccountEvents: ${adapter}`);
  let opened: OpenedAccountEvents;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const { append, freshAccount, project, shardFor } = accountLog(() => opened);
  /** All events of an account in the log, and the checkpoint of its shard. */
  const stateOf = async (accountId: string) => {
    const shard = shardFor(accountId);
    const all = await Effect.runPromise(opened.log.read(shard, 0, 1_000_000));
    const lags = await Effect.runPromise(opened.projection.lag);
    return {
      events: all.filter((event) => event.accountId === accountId),
      checkpoint: lags.find((lag) => lag.shard === shard)?.checkpoint ?? Number.NaN,
    };
  };
  const wholeList: PageRequest = {
    before: { occurredAt: Number.POSITIVE_INFINITY, position: 0 },
    from: Number.NEGATIVE_INFINITY,
    type: null,
    upTo: null,
    eventsMax: 1_000,
    bytesMax: 1_000_000,
    scannedMax: 10_000,
  };
  const pageFor = (
    accountId: string,
    request: Partial<PageRequest> = {},
  ): Promise<AccountEventsPage> =>
    Effect.runPromise(opened.accountEvents.page(accountId, { ...wholeList, ...request }));
  const ids = (events: ReadonlyArray<RecordedEvent>): string =>
    events.map(({ eventId }) => eventId).join();

  test("an unknown account has one page without events", async () => {
    const { events, next, asOf } = await pageFor("never-seen");
    assert.equal([events, next], [[], null]);
    assert.ok(Math.abs(Date.now() - asOf) < 60_000);
  });

  test("events are returned as recorded, newest first, and the last recorded first within one instant", async () => {
    const accountId = freshAccount();
    const at = Date.UTC(2026, 0, 31);
    await append([
      anEvent({ accountId, eventId: "a", occurredAt: at, metadata: '{"b":[1,{"c":"😀"}]}' }),
      anEvent({ accountId, eventId: "b", occurredAt: at + 1, type: "custom" }),
      anEvent({ accountId, eventId: "c", occurredAt: at }),
      anEvent({ accountId, eventId: "d", occurredAt: at - 1, userId: "ä" }),
    ]);
    await project(accountId);
    const { events } = await pageFor(accountId);
    assert.is(ids(events), "b,c,a,d");
    const state = await stateOf(accountId);
    for (const event of events) {
      assert.equal(
        event,
        state.events.find(({ position }) => position === event.position),
      );
    }
  });

  test("events that are not folded yet are on no page", async () => {
    const accountId = freshAccount();
    await append(["1", "2", "3"].map((eventId) => anEvent({ accountId, eventId })));
    for (const expected of ["", "1", "2,1", "3,2,1"]) {
      assert.is(ids((await pageFor(accountId)).events), expected);
      await project(accountId, 1);
    }
  });

  test("a page ends before it has too many bytes, but has at least one event", async () => {
    const accountId = freshAccount();
    const metadata = JSON.stringify({ filler: "ä".repeat(2_000) });
    await append(["1", "2", "3"].map((eventId) => anEvent({ accountId, eventId, metadata })));
    await project(accountId);
    const [event] = (await pageFor(accountId)).events;
    assert.ok(event);
    const bytes = bytesOnPage(event);
    for (const [bytesMax, expected] of [
      [1, 1],
      [2 * bytes - 1, 1],
      [2 * bytes, 2],
      [3 * bytes - 1, 2],
      [3 * bytes, 3],
    ] as const) {
      const page = await pageFor(accountId, { bytesMax });
      assert.is(page.events.length, expected);
      assert.is(page.next === null, expected === 3);
    }
  });

  test("a rare type ends pages early, and later pages reach it", async () => {
    const accountId = freshAccount();
    const at = Date.UTC(2026, 0, 31);
    const rare = anEvent({ accountId, eventId: "rare", type: "custom", occurredAt: at });
    const others = Array.from({ length: 25 }, (_, i) =>
      anEvent({ accountId, eventId: `${i}`, occurredAt: at + i }),
    );
    await append([rare, ...others]);
    await project(accountId);
    const pages: string[] = [];
    let before: EventKey | null = wholeList.before;
    while (before !== null) {
      const page = await pageFor(accountId, { before, type: "custom", scannedMax: 10 });
      pages.push(ids(page.events));
      before = page.next;
    }
    assert.equal(pages, ["", "", "rare"]);
  });

  const times = fc.oneof(moment, fc.constant(Date.UTC(2026, 0, 1)));
  const filter = fc.record({
    from: fc.option(times, { freq: 1, nil: Number.NEGATIVE_INFINITY }),
    to: fc.option(times, { freq: 1, nil: Number.POSITIVE_INFINITY }),
    type: fc.constantFrom(null, null, null, "login", "call_made", "form_submitted"),
  });
  const bounds = fc.record({
    eventsMax: fc.integer({ min: 1, max: 12 }),
    bytesMax: fc.constantFrom(1, 600, 1_500, 1_000_000),
    scannedMax: fc.constantFrom(1, 3, 20, 10_000),
  });
  const stream = fc
    .array(eventStream({ accounts: ["x"], eventIds: 80 }, 40), {
      minLength: 4,
      maxLength: 4,
      size: "max",
    })
    .map((streams) => streams.flat());

  test("the pages of any stream, whatever is appended in between, are those of the definition and together the list", async () => {
    let turnsTaken = 0;
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.constantFrom(0, 0, 1, 5),
        filter,
        fc.array(fc.record({ bounds, late: fc.option(stream), projected: fc.nat({ max: 60 }) }), {
          minLength: 3,
          maxLength: 8,
        }),
        async (first, unprojected, { from, to, type }, turns) => {
          const accountId = freshAccount();
          const mine = (events: ReadonlyArray<Event>) =>
            events.map((event) => ({ ...event, accountId }));
          await append(mine(first));
          await project(accountId, Math.max(1, first.length - unprojected));

          const start = await stateOf(accountId);
          const expected = pageOf(start.events, start.checkpoint, {
            ...wholeList,
            before: { occurredAt: to, position: 0 },
            from,
            type,
          });
          const listed: RecordedEvent[] = [];
          let before: EventKey | null = { occurredAt: to, position: 0 };
          let upTo: number | null = null;
          for (let turn = 0; before !== null; turn++) {
            assert.ok(turn < 2_000, "the pages have no end");
            // Events are appended only in the first turns; otherwise empty pages might never end.
            const step: (typeof turns)[number] | undefined = turns[turn % turns.length];
            assert.ok(step);
            const request: PageRequest = { before, from, type, upTo, ...step.bounds };
            const page: AccountEventsPage = await pageFor(accountId, request);
            turnsTaken++;
            const state = await stateOf(accountId);
            assert.equal(
              { events: page.events, next: page.next },
              pageOf(state.events, state.checkpoint, request),
            );
            listed.push(...page.events);
            before = page.next;
            upTo ??= page.upTo;
            assert.is(upTo, start.checkpoint);
            if (turn < turns.length && step.late !== null) {
              await append(mine(step.late));
              await project(accountId, step.projected);
            }
          }
          assert.equal(ids(listed), ids(expected.events));
        },
      ),
      { numRuns: 30 },
    );
    // Otherwise this test would show nothing.
    assert.ok(turnsTaken > 60, `only ${turnsTaken} pages`);
  });

  test.run();
};
