import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream, identifier } from "../event/event.fixture.ts";
import { type Event, identityOf, type RecordedEvent } from "../event/event.ts";
import type { EventLog } from "./event_log.ts";

export interface OpenedLog {
  readonly log: EventLog["Service"];
  readonly close: () => Promise<void>;
}

/** What every adapter of `EventLog` promises. `open` makes a log for the suite, of 2 shards or more. */
export const eventLogConformance = (adapter: string, open: () => Promise<OpenedLog>): void => {
  const test = suite(`EventLog: ${adapter}`);
  let opened: OpenedLog;
  let log: EventLog["Service"];
  let namespaces = 0;

  test.before(async () => {
    opened = await open();
    log = opened.log;
  });
  test.after(() => opened.close());

  /** A new account for each use, so that tests can share the log. */
  const freshAccount = (): string => `account-${++namespaces}`;
  const append = (events: ReadonlyArray<Event>, shard = 0) =>
    Effect.runPromise(log.append(shard, events));
  const headOf = async (shard: number): Promise<number> => {
    const heads = await Effect.runPromise(log.heads);
    return heads.find((head) => head.shard === shard)?.position ?? Number.NaN;
  };
  const readFrom = (after: number, limit = 100_000, shard = 0) =>
    Effect.runPromise(log.read(shard, after, limit));
  const plain = ({ shard: _s, position: _p, recordedAt: _r, ...event }: RecordedEvent): Event =>
    event;

  test("an appended event is read back unchanged, at the next position", async () => {
    const before = await headOf(0);
    const accountId = freshAccount();
    const events = ["1", "2", "3"].map((eventId) =>
      anEvent({ accountId, eventId, metadata: '{"b":[1,{"c":null}],"a":"\\"\\\\ {x,y} ü😀"}' }),
    );
    assert.equal(await append(events), { duplicates: [], conflicts: [] });
    const read = await readFrom(before);
    assert.equal(read.map(plain), events);
    assert.equal(
      read.map((event) => [event.shard, event.position]),
      [
        [0, before + 1],
        [0, before + 2],
        [0, before + 3],
      ],
    );
    assert.is(await headOf(0), before + 3);
  });

  test("shards have independent positions", async () => {
    const before = await headOf(1);
    await append([anEvent({ accountId: freshAccount() })], 0);
    assert.is(await headOf(1), before);
    await append([anEvent({ accountId: freshAccount() })], 1);
    assert.is(await headOf(1), before + 1);
    assert.is((await readFrom(before, 10, 1)).length, 1);
  });

  test("appending the same events again changes nothing and names them as duplicates", async () => {
    const accountId = freshAccount();
    const events = [anEvent({ accountId, eventId: "1" }), anEvent({ accountId, eventId: "2" })];
    await append(events);
    const before = await headOf(0);
    assert.equal(await append(events), { duplicates: [0, 1], conflicts: [] });
    assert.is(await headOf(0), before);
  });

  test("an event with a known identity and another payload is a conflict, and the first one stays", async () => {
    const accountId = freshAccount();
    const before = await headOf(0);
    const first = anEvent({ accountId, userId: "ada" });
    await append([first]);
    assert.equal(await append([anEvent({ accountId, userId: "eve" })]), {
      duplicates: [],
      conflicts: [0],
    });
    assert.equal((await readFrom(before)).map(plain), [first]);
  });

  test("new events among known ones are appended in order, without gaps", async () => {
    const accountId = freshAccount();
    const before = await headOf(0);
    const one = (eventId: string, userId = "ada") => anEvent({ accountId, eventId, userId });
    await append([one("2"), one("4")]);
    const outcome = await append([one("1"), one("2"), one("3"), one("4", "eve"), one("5")]);
    assert.equal(outcome, { duplicates: [1], conflicts: [3] });
    const read = await readFrom(before);
    assert.equal(read.map((event) => event.eventId).join(), "2,4,1,3,5");
    assert.equal(
      read.map((event) => event.position - before),
      [1, 2, 3, 4, 5],
    );
  });

  test("the same event id in two accounts is two events", async () => {
    const outcome = await append([
      anEvent({ accountId: freshAccount(), eventId: "same" }),
      anEvent({ accountId: freshAccount(), eventId: "same" }),
    ]);
    assert.equal(outcome, { duplicates: [], conflicts: [] });
  });

  test("appending nothing is allowed", async () => {
    assert.equal(await append([]), { duplicates: [], conflicts: [] });
  });

  test("read returns at most the limit, after the position", async () => {
    const accountId = freshAccount();
    const before = await headOf(0);
    await append(["1", "2", "3"].map((eventId) => anEvent({ accountId, eventId })));
    assert.equal(
      (await readFrom(before + 1, 1)).map((event) => event.eventId),
      ["2"],
    );
    assert.equal(await readFrom(before + 3), []);
  });

  test("any identifiers are read back unchanged", async () => {
    await fc.assert(
      fc.asyncProperty(identifier, identifier, identifier, async (account, eventId, userId) => {
        const before = await headOf(0);
        const event = anEvent({ accountId: freshAccount() + account, eventId, userId });
        await append([event]);
        assert.equal((await readFrom(before)).map(plain), [event]);
      }),
      { numRuns: 40 },
    );
  });

  test("any appends of any streams leave each identity once, with its first payload", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventStream({ accounts: ["x", "y"], eventIds: 8 }, 12), { maxLength: 5 }),
        async (streams) => {
          const before = await headOf(0);
          const prefix = freshAccount();
          const expected = new Map<string, Event>();
          for (const stream of streams) {
            const { events } = collapse(
              stream.map((event) => ({ ...event, accountId: prefix + event.accountId })),
            );
            const { duplicates, conflicts } = await append(events);
            events.forEach((event, index) => {
              const first = expected.get(identityOf(event));
              const same = first?.fingerprint === event.fingerprint;
              assert.is(duplicates.includes(index), first !== undefined && same);
              assert.is(conflicts.includes(index), first !== undefined && !same);
              if (first === undefined) expected.set(identityOf(event), event);
            });
          }
          const read = await readFrom(before);
          assert.equal(read.map(plain), [...expected.values()]);
          assert.equal(
            read.map((event) => event.position),
            read.map((_, i) => before + i + 1),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  test("concurrent appends of overlapping events lose nothing, repeat nothing and leave no gaps", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 15 }), {
          minLength: 2,
          maxLength: 8,
        }),
        async (writers) => {
          const before = await headOf(0);
          const accountId = freshAccount();
          const outcomes = await Promise.all(
            writers.map((ids) =>
              append(ids.map((id) => anEvent({ accountId, eventId: String(id) }))),
            ),
          );
          const distinct = new Set(writers.flat());
          const read = await readFrom(before);
          assert.equal(new Set(read.map((event) => Number(event.eventId))), distinct);
          assert.equal(
            read.map((event) => event.position),
            read.map((_, i) => before + i + 1),
          );
          const duplicates = outcomes.flatMap((outcome) => outcome.duplicates).length;
          assert.is(duplicates, writers.flat().length - distinct.size);
        },
      ),
      { numRuns: 20 },
    );
  });

  test.run();
};
