import { Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Batch } from "../event/batch.ts";
import { NOW, sentEvent } from "../event/decode.fixture.ts";
import { EVENT_RULES_DEFAULT } from "../event/rules.ts";
import { parseJson } from "../json/parse.ts";
import { BATCH_EVENTS_MAX, decodeBatch, ISSUES_MAX } from "./decode_batch.ts";
import type { BatchRejected } from "./errors.ts";

const test = suite("decodeBatch");

const decode = (input: unknown) => decodeBatch(input, EVENT_RULES_DEFAULT, NOW);
const accepted = (input: unknown): Batch => Result.getOrThrow(decode(input));
const rejected = (input: unknown): BatchRejected => {
  const result = decode(input);
  if (Result.isSuccess(result)) throw new Error(`accepted: ${JSON.stringify(input)}`);
  return result.failure;
};
const issuesOf = (error: BatchRejected) => ("issues" in error ? error.issues : []);

const sentEvents = (count: number): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, i) => sentEvent({ event_id: `e${i}` }));

test("a batch of 1 to 1,000 events is accepted, each in its place", () => {
  assert.is(BATCH_EVENTS_MAX, 1_000);
  for (const count of [1, 2, 1_000]) {
    const { events, duplicates, conflicts } = accepted({ events: sentEvents(count) });
    assert.equal(
      events.map(({ eventId }) => eventId),
      Array.from({ length: count }, (_, i) => `e${i}`),
    );
    assert.equal([duplicates, conflicts], [0, 0]);
  }
});

test("a batch of no event is refused as empty", () => {
  assert.is(rejected({ events: [] })._tag, "BatchEmpty");
});

test("a batch of 1,001 events is refused as too large, however good its events are", () => {
  const error = rejected({ events: sentEvents(1_001) });
  assert.is(error._tag === "BatchTooLarge" ? error.events : undefined, 1_001);
  assert.is(rejected({ events: Array.from({ length: 1_001 }, () => null) })._tag, "BatchTooLarge");
});

test("what is not an object is malformed as a whole", () => {
  for (const input of [undefined, null, true, 0, "", "events", [], [sentEvent()], [[]]]) {
    const error = rejected(input);
    assert.is(error._tag, "BatchMalformed");
    assert.equal(
      issuesOf(error).map(({ index, path }) => [index, path]),
      [[null, ""]],
    );
  }
});

test("a body without an array of events is malformed, at its field", () => {
  for (const [input, message] of [
    [{}, /is missing/],
    [{ events: null }, /must be an array/],
    [{ events: {} }, /must be an array/],
    [{ events: "[]" }, /must be an array/],
    [{ events: 1 }, /must be an array/],
    [{ events: { length: 1, 0: sentEvent() } }, /must be an array/],
    [JSON.parse('{"__proto__":{"events":[]},"events":false}'), /must be an array/],
  ] as const) {
    const error = rejected(input);
    assert.is(error._tag, "BatchMalformed");
    const [issue] = issuesOf(error);
    assert.equal([issue?.index, issue?.path], [null, "events"]);
    assert.match(issue?.message ?? "", message);
  }
});

test("a field beside events is refused by its name", () => {
  for (const field of ["event", "Events", "", "__proto__", "constructor"]) {
    const members = Object.fromEntries([
      [field, 1],
      ["events", sentEvents(1)],
    ]);
    const error = rejected(members);
    assert.is(error._tag, "BatchMalformed");
    assert.equal(
      issuesOf(error).map(({ index, path }) => [index, path]),
      [[null, field]],
    );
  }
});

test("the names of fields beside events come shortened and well-formed into the answer", () => {
  for (const field of ["k".repeat(100_000), `${"k".repeat(199)}😀`, "\ud800"]) {
    const [issue] = issuesOf(rejected({ events: [], [field]: 1 }));
    assert.ok((issue?.path.length ?? 999) <= 200);
    assert.ok(issue?.path.isWellFormed());
  }
});

test("one invalid event refuses the batch, and the issue says which event and which field", () => {
  for (const at of [0, 499, 999]) {
    const events = sentEvents(1_000);
    events[at] = sentEvent({ user_id: "" });
    const error = rejected({ events });
    assert.is(error._tag, "EventInvalid");
    assert.equal(issuesOf(error), [{ index: at, path: "user_id", message: "must not be empty" }]);
  }
});

test("the issues of all events are told, in the order of the events", () => {
  const events = sentEvents(5);
  events[1] = sentEvent({ type: "logout", user_id: undefined });
  events[3] = [] as never;
  events[4] = sentEvent({ metadata: null });
  assert.equal(
    issuesOf(rejected({ events })).map(({ index, path }) => [index, path]),
    [
      [1, "user_id"],
      [1, "type"],
      [3, ""],
      [4, "metadata"],
    ],
  );
});

test("no more than 100 issues are told, whether of many events or of one", () => {
  assert.is(ISSUES_MAX, 100);
  const perEvent = (count: number) =>
    issuesOf(rejected({ events: Array.from({ length: count }, () => ({})) }));
  assert.is(perEvent(20).length, 100);
  assert.is(perEvent(21).length, 100);
  assert.is(perEvent(1_000).length, 100);
  assert.equal(perEvent(21).at(-1)?.index, 19);
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, i]));
  assert.is(issuesOf(rejected({ events: [sentEvent(many(20_000))] })).length, 100);
  assert.is(issuesOf(rejected(many(20_000))).length, 100);
  assert.is(issuesOf(rejected({ ...many(100), events: sentEvents(1) })).length, 100);
});

test("no event is looked at once 100 issues are known", () => {
  const events: unknown[] = Array.from({ length: 1_000 }, () => ({}));
  const poisoned = { get: () => assert.unreachable("an event was looked at") };
  for (let i = 20; i < events.length; i++) events[i] = new Proxy({}, poisoned);
  assert.is(issuesOf(rejected({ events })).length, 100);
});

test("events that a batch repeats are left out and counted", () => {
  const again = sentEvent({ timestamp: "2026-01-31T10:30:00+01:00" });
  const { events, duplicates, conflicts } = accepted({
    events: [sentEvent(), again, sentEvent({ user_id: "bob" }), sentEvent({ event_id: "e2" })],
  });
  assert.equal(
    events.map(({ eventId, userId }) => [eventId, userId]),
    [
      ["e1", "ada"],
      ["e2", "ada"],
    ],
  );
  assert.equal([duplicates, conflicts], [1, 1]);
});

test("a repeated event that is invalid refuses the batch as any other does", () => {
  const error = rejected({ events: [sentEvent(), sentEvent({ type: "logout" })] });
  assert.equal(
    issuesOf(error).map(({ index }) => index),
    [1],
  );
});

test("a whole body goes from its text to its events without a loss", () => {
  const text = `{"events":[${JSON.stringify(sentEvent({ metadata: { n: 1.5, s: "ü" } }))}]}`;
  const { events } = accepted(Result.getOrThrow(parseJson(text)));
  assert.is(events[0]?.metadata, '{"n":1.5,"s":"ü"}');
  const lossy = text.replace("1.5", "9007199254740993");
  const [issue] = issuesOf(rejected(Result.getOrThrow(parseJson(lossy))));
  assert.equal([issue?.index, issue?.path], [0, "metadata.n"]);
  for (const whole of ["1e400", "[1e400]", '{"events":1e400}', '{"events":[1e400]}']) {
    assert.ok(issuesOf(rejected(Result.getOrThrow(parseJson(whole)))).length === 1, whole);
  }
});

test.run();
