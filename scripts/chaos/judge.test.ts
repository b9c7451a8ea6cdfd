import { suite } from "uvu";
import * as assert from "uvu/assert";

import { identityOf, type RecordedEvent } from "../../core/event/event.ts";
import { fold, NO_ROWS, READ_MODELS } from "../../core/projection/read_models.ts";
import { type Evidence, type Finding, judge } from "./judge.ts";
import { contentOf, type Sent } from "./ledger.ts";

const test = suite("judge");

const event = (position: number, fields: Partial<RecordedEvent> = {}): RecordedEvent => ({
  accountId: "acme",
  eventId: `e${position}`,
  userId: "ada",
  type: "login",
  occurredAt: 1_700_000_000_000 + position * 1_000,
  metadata: null,
  fingerprint: 0,
  shard: 0,
  position,
  recordedAt: 1_700_000_000_000,
  ...fields,
});

const sentOf = (events: ReadonlyArray<RecordedEvent>): Map<string, Sent> =>
  new Map(
    events.map((one) => [
      identityOf(one),
      { accountId: one.accountId, content: contentOf(one), accepted: true },
    ]),
  );

/** Evidence of three events in one shard, with changes. Without changes every promise holds. */
const evidence = (changes: Partial<Evidence> & { readonly logged?: RecordedEvent[] } = {}) => {
  const events = [event(1), event(2), event(3)];
  const { logged = events, ...others } = changes;
  const rows = (name: string) => [
    ...fold(
      READ_MODELS.find((model) => model.name === name)!,
      NO_ROWS,
      logged,
    ).values(),
  ];
  const whole: Evidence = {
    sent: sentOf(events),
    shards: 1,
    log: pages(logged),
    heads: new Map([[0, logged.length]]),
    rows: async (name) => rows(name),
    poisoned: new Set(),
    deadLetters: [],
    provoked: { poisonEvents: new Set(), deadJobs: new Set() },
    ...others,
  };
  return whole;
};

async function* pages(events: ReadonlyArray<RecordedEvent>) {
  for (const one of events) yield [one];
}

const findingsOf = async (changes: Parameters<typeof evidence>[0]) =>
  (await judge(evidence(changes))).findings;

const kinds = (findings: ReadonlyArray<Finding>) => findings.map(({ kind }) => kind);

test("a log in order has no findings, and its accounts are counted", async () => {
  const { findings, accounts } = await judge(evidence());
  assert.equal(findings, []);
  assert.equal(accounts.get("acme"), { events: 3, types: new Map([["login", 3]]) });
});

test("an accepted event that is not in the log is lost", async () => {
  const findings = await findingsOf({ logged: [event(1), event(2)] });
  assert.equal(kinds(findings), ["lost"]);
  assert.match(findings[0]?.what ?? "", "acme e3 is not in the log");
});

test("an event that was never accepted may be in the log or not", async () => {
  const sent = sentOf([event(1), event(2), event(3)]);
  sent.get(identityOf(event(3)))!.accepted = false;
  assert.equal(await findingsOf({ sent }), []);
  assert.equal(await findingsOf({ sent, logged: [event(1), event(2)] }), []);
});

test("an event that is in the log twice is a duplicate", async () => {
  const logged = [event(1), event(2), event(3), event(4, { eventId: "e2" })];
  const findings = await findingsOf({ logged });
  assert.equal(kinds(findings), ["duplicated"]);
  assert.match(findings[0]?.what ?? "", "acme e2 at 0:4 is in the log a second time");
});

test("an event that changed differs", async () => {
  for (const changed of [
    { userId: "eve" },
    { type: "custom" },
    { occurredAt: 1 },
    { metadata: "{}" },
  ]) {
    const findings = await findingsOf({ logged: [event(1), event(2, changed), event(3)] });
    assert.equal(kinds(findings), ["differs"]);
    assert.match(findings[0]?.what ?? "", "acme e2 at 0:2 differs from what was sent");
  }
});

test("an event that was never sent differs, and so does one in the wrong shard", async () => {
  const foreign = await findingsOf({
    logged: [event(1), event(2), event(3), event(4, { eventId: "x" })],
  });
  assert.match(foreign[0]?.what ?? "", "acme x at 0:4 was never sent");
  const { findings } = await judge({ ...evidence(), shards: 1_000_003, heads: new Map() });
  assert.equal(kinds(findings), ["differs", "differs", "differs"]);
});

test("a gap in the positions differs, and so does a head that is not the last position", async () => {
  const gap = await findingsOf({ logged: [event(1), event(2), event(4, { eventId: "e3" })] });
  assert.match(gap[0]?.what ?? "", "0:4 follows 0:2");
  const ahead = await findingsOf({ heads: new Map([[0, 4]]) });
  assert.match(ahead[0]?.what ?? "", "shard 0 ends at 3, but its head is 4");
});

test("a read model that counts too much, too little or nothing is found", async () => {
  const good = await evidence().rows(READ_MODELS[0]!.name);
  const off = (by: number) => async () => good.map((row) => ({ ...row, events: row.events + by }));
  assert.equal(kinds(await findingsOf({ rows: off(1) })), ["duplicated"]);
  assert.equal(kinds(await findingsOf({ rows: off(-1) })), ["lost"]);
  assert.equal(kinds(await findingsOf({ rows: async () => [] })), ["lost"]);
  const extra = { key: ["acme", 0, "custom"], events: 1 };
  assert.equal(kinds(await findingsOf({ rows: async () => [...good, extra] })), ["duplicated"]);
});

test("poison events are in no row, and are exactly those that were provoked", async () => {
  const model = READ_MODELS[0]!;
  const rows = async () => [...fold(model, NO_ROWS, [event(1), event(3)]).values()];
  const poisoned = new Set(["0:2"]);
  const poisonEvents = new Set([identityOf(event(2))]);
  const provoked = { poisonEvents, deadJobs: new Set<string>() };
  assert.equal(await findingsOf({ poisoned, rows, provoked }), []);
  assert.match((await findingsOf({ poisoned, rows }))[0]?.what ?? "", "unexpected poisoned event");
  assert.match((await findingsOf({ provoked }))[0]?.what ?? "", "missing poisoned event acme e2");
});

test("dead letters are exactly those that were provoked", async () => {
  const provoked = { poisonEvents: new Set<string>(), deadJobs: new Set(["a"]) };
  assert.equal(await findingsOf({ deadLetters: ["a"], provoked }), []);
  assert.equal(kinds(await findingsOf({ provoked })), ["differs"]);
  assert.equal(kinds(await findingsOf({ deadLetters: ["a", "b"], provoked })), ["differs"]);
});

test.run();
