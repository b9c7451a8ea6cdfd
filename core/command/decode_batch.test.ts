import { Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Batch } from "../event/batch.ts";
import { NOW, sentEvent } from "../event/decode.fixture.ts";
import { EVENT_RULES_DEFAULT } from "../event/rules.ts";
import { encodeUtf8 } from "../utf8.fixture.ts";
import { decodeInSteps } from "./decode_batch.fixture.ts";
import {
  BATCH_EVENTS_MAX,
  BATCH_TOKENS_MAX,
  EVENT_SENT_BYTES_MAX,
  ISSUES_MAX,
} from "./decode_batch.ts";
import type { BatchRejected } from "./errors.ts";

const test = suite("decodeBatch");

const decode = (text: string) => decodeInSteps(encodeUtf8(text), EVENT_RULES_DEFAULT, NOW);
const acceptedText = (text: string): Batch => Result.getOrThrow(decode(text)[0]);
const accepted = (input: unknown): Batch => acceptedText(JSON.stringify(input));
const rejectedText = (text: string): BatchRejected => {
  const [result] = decode(text);
  if (Result.isSuccess(result)) throw new Error(`accepted: ${text}`);
  return result.failure;
};
const rejected = (input: unknown): BatchRejected => rejectedText(JSON.stringify(input));
const issuesOf = (error: BatchRejected) => ("issues" in error ? error.issues : []);

const sentEvents = (count: number): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, i) => sentEvent({ event_id: `e${i}` }));

test("a batch of 1 to 1,000 events is accepted, in order", () => {
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

test("a batch without events is refused as empty", () => {
  assert.is(rejected({ events: [] })._tag, "BatchEmpty");
});

test("a batch of 1,001 events is refused as too large, even if all are valid", () => {
  assert.is(rejected({ events: sentEvents(1_001) })._tag, "BatchTooLarge");
  assert.is(rejected({ events: Array.from({ length: 1_001 }, () => null) })._tag, "BatchTooLarge");
});

test("a body that is not an object is malformed as a whole", () => {
  for (const input of [null, true, 0, "", "events", [], [sentEvent()], [[]]]) {
    const error = rejected(input);
    assert.is(error._tag, "BatchMalformed");
    assert.equal(
      issuesOf(error).map(({ index, path }) => [index, path]),
      [[null, ""]],
    );
  }
});

test("a body without an array of events is malformed, at that field", () => {
  for (const [input, message] of [
    [{}, /is missing/],
    [{ events: null }, /must be an array/],
    [{ events: {} }, /must be an array/],
    [{ events: "[]" }, /must be an array/],
    [{ events: 1 }, /must be an array/],
    [{ events: { length: 1, 0: sentEvent() } }, /must be an array/],
  ] as const) {
    const error = rejected(input);
    assert.is(error._tag, "BatchMalformed");
    const [issue] = issuesOf(error);
    assert.equal([issue?.index, issue?.path], [null, "events"]);
    assert.match(issue?.message ?? "", message);
  }
});

test("an unknown field next to events is refused by its name", () => {
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

test("the names of unknown fields are shortened and well-formed in the answer", () => {
  for (const field of ["k".repeat(100_000), `${"k".repeat(199)}😀`, "\ud800"]) {
    const name = JSON.stringify(field);
    const [issue] = issuesOf(rejectedText(`{"events":[],${name}:1}`));
    assert.ok((issue?.path.length ?? 999) <= 200);
    assert.ok(issue?.path.isWellFormed());
  }
});

test("one invalid event rejects the batch, and the issue names the event and the field", () => {
  for (const at of [0, 499, 999]) {
    const events = sentEvents(1_000);
    events[at] = sentEvent({ user_id: "" });
    const error = rejected({ events });
    assert.is(error._tag, "EventInvalid");
    assert.equal(issuesOf(error), [{ index: at, path: "user_id", message: "must not be empty" }]);
  }
});

test("the issues of all events are reported, in the order of the events", () => {
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

test("at most 100 issues are reported, of many events or of one", () => {
  assert.is(ISSUES_MAX, 100);
  const perEvent = (count: number) =>
    issuesOf(rejected({ events: Array.from({ length: count }, () => ({})) }));
  assert.is(perEvent(20).length, 100);
  assert.is(perEvent(21).length, 100);
  assert.is(perEvent(1_000).length, 100);
  assert.equal(perEvent(21).at(-1)?.index, 19);
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, i]));
  assert.is(issuesOf(rejected({ events: [sentEvent(many(8_000))] })).length, 100);
  assert.is(issuesOf(rejected(many(20_000))).length, 100);
  assert.is(issuesOf(rejected({ ...many(100), events: sentEvents(1) })).length, 100);
});

test("no more events are decoded after 100 issues", () => {
  const text = JSON.stringify(sentEvent({ metadata: { text: "x".repeat(20_000) } }));
  const [result, steps] = decode(`{"events":[${"{},".repeat(20)}${`${text},`.repeat(30)}1]}`);
  assert.ok(Result.isFailure(result));
  assert.is(issuesOf(result.failure).length, 100);
  // No more than for the scan: each of the large events would take another step.
  assert.ok(steps <= Math.ceil((30 * text.length) / 32_768), `${steps} steps`);
});

test("repeated events of a batch are dropped and counted", () => {
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

test("a repeated event that is invalid rejects the batch like any other", () => {
  const error = rejected({ events: [sentEvent(), sentEvent({ type: "logout" })] });
  assert.equal(
    issuesOf(error).map(({ index }) => index),
    [1],
  );
});

test("decoding a body loses nothing", () => {
  const text = `{"events":[${JSON.stringify(sentEvent({ metadata: { n: 1.5, s: "ü" } }))}]}`;
  const { events } = acceptedText(text);
  assert.is(events[0]?.metadata, '{"n":1.5,"s":"ü"}');
  const lossy = text.replace("1.5", "9007199254740993");
  const [issue] = issuesOf(rejectedText(lossy));
  assert.equal([issue?.index, issue?.path], [0, "metadata.n"]);
  for (const whole of ["1e400", "[1e400]", '{"events":1e400}', '{"events":[1e400]}']) {
    assert.ok(issuesOf(rejectedText(whole)).length === 1, whole);
  }
});

test("a body that is not JSON is malformed, whatever else is wrong with it", () => {
  const whole = JSON.stringify({ events: sentEvents(3), more: 1 });
  for (const text of ["", "[1e400", whole.slice(0, -1), `${whole}]`, `{"events":[nul]}`]) {
    assert.is(rejectedText(text)._tag, "JsonMalformed", text);
  }
});

test("a repeated field `events` is refused, because one of the two would be dropped", () => {
  for (const name of ["events", "\\u0065vents"]) {
    const error = rejectedText(`{"events":[${JSON.stringify(sentEvent())}],"${name}":[]}`);
    assert.equal(issuesOf(error), [{ index: null, path: "events", message: "must be given once" }]);
  }
});

test("a repeated key is refused with its path, because one of its values would be dropped", () => {
  const event = JSON.stringify(sentEvent({ metadata: { plan: { name: "pro" }, tags: [0, "@"] } }));
  for (const [from, to, path] of [
    ['"type"', '"type":"login","type"', "type"],
    ['"type"', '"\\u0074ype":"call_made","type"', "type"],
    ['"type"', '"metadata":{},"type"', "metadata"],
    ['"type"', '"metadata":{"n":1e400},"type"', "metadata"],
    ['"plan"', '"tags":[],"plan"', "metadata.tags"],
    ['"name"', '"name":"pro","name"', "metadata.plan.name"],
    ['"@"', '{"a":1,"b":{"":2,"":2}}', "metadata.tags[1].b."],
    ['"@"', '[[],[{"1":0},{"1":0,"2":0,"\\u0031":0}]]', "metadata.tags[1][1][1].1"],
    ['"@"', '{"constructor":1,"constructor":1}', "metadata.tags[1].constructor"],
  ] as const) {
    const text = `{"events":[${event},${event.replace(from, to)}]}`;
    assert.equal(issuesOf(rejectedText(text)), [{ index: 1, path, message: "must be given once" }]);
  }
  const distinct = event.replace('"@"', '[{"a":{"a":"a"},"A":"a"},{"a":"a","":":"}]');
  assert.is(acceptedText(`{"events":[${distinct}]}`).events.length, 1);
});

test("the largest event with a repeated key is refused without being read twice", () => {
  // White space and escapes make it as long as an event may be.
  const escapes = "\\u0041".repeat(20_000);
  for (const filling of [
    `"${escapes}"`,
    " ".repeat(200_000) + "1",
    "[".repeat(9_000) + "]".repeat(9_000),
  ]) {
    const metadata = `{"a":1,"b":${filling},"a":1}`;
    const event = JSON.stringify(sentEvent({ metadata: "@" })).replace('"@"', () => metadata);
    const [issue] = issuesOf(rejectedText(`{"events":[${event}]}`));
    assert.is(issue?.index, 0);
    if (!filling.startsWith("[")) assert.is(issue?.path, "metadata.a");
  }
});

test("a negative zero is refused anywhere in metadata", () => {
  const event = JSON.stringify(sentEvent({ metadata: { a: [1, "@"] } }));
  for (const zero of ["-0", "-0.0", "-0e5", "-0.00000000000000000000E+1"]) {
    const [issue] = issuesOf(rejectedText(`{"events":[${event.replace('"@"', zero)}]}`));
    assert.equal([issue?.index, issue?.path], [0, "metadata.a[1]"], zero);
    assert.match(issue?.message ?? "", /lose its sign; send 0 or a string/);
  }
  for (const kept of ["0", "0.0e-5", "-0.01", "-1e-2", '"-0"']) {
    assert.is(acceptedText(`{"events":[${event.replace('"@"', kept)}]}`).events.length, 1, kept);
  }
});

test("a body with too many values and keys is refused", () => {
  const wide = JSON.stringify(sentEvent({ metadata: { a: "@" } }));
  const withValues = (count: number): string => wide.replace('"@"', `[${"1,".repeat(count)}1]`);
  const events = Array.from({ length: 32 }, () => withValues(15_000));
  assert.is(rejectedText(`{"events":[${events.join()}]}`)._tag, "BatchTooComplex");
  assert.ok(32 * 15_000 > BATCH_TOKENS_MAX);
  const fewer = events.slice(0, Math.floor(BATCH_TOKENS_MAX / 15_100));
  acceptedText(`{"events":[${fewer.join()}]}`);
});

test("an event with too many values is not parsed, but the others are", () => {
  const wide = `{"metadata":{"a":[${"1,".repeat(16_400)}1]}}`;
  const spacious = `{${" ".repeat(EVENT_SENT_BYTES_MAX)}}`;
  const issues = issuesOf(rejectedText(`{"events":[1,${wide},${spacious},2]}`));
  assert.equal(
    issues.map(({ index, message }) => [index, message.slice(0, 24)]),
    [
      [0, "must be an object"],
      [1, "must be at most 32768 by"],
      [2, "must be at most 262144 b"],
      [3, "must be an object"],
    ],
  );
});

/** An event with metadata of about the largest size, made of one repeated part. */
const filled = (items: (i: number) => string, open: string, close: string): string => {
  const parts: string[] = [];
  let bytes = 300;
  for (let i = 0; bytes < 32_700 && i * items(0).length < 250_000; i++) {
    const item = items(i);
    bytes += JSON.stringify(JSON.parse(`${open}${item}${close}`)).length - 1;
    parts.push(item);
  }
  return JSON.stringify(sentEvent({ event_id: "@id", metadata: "@m" })).replace(
    '"@m"',
    `{"m":${open}${parts.slice(0, -1).join()}${close}}`,
  );
};

const SLOW: Readonly<Record<string, string>> = {
  "numbers with an exponent": filled(() => "1e1", "[", "]"),
  "numbers of 17 digits": filled(() => "0.30000000000000004", "[", "]"),
  "numbers with zeros behind": filled(() => "1.00000000000000000000", "[", "]"),
  "keys in the wrong order": filled((i) => `"${(999_999 - i).toString(36)}":1`, "{", "}"),
  "long keys": filled((i) => `"${"k".repeat(500)}${999 - i}":1`, "{", "}"),
  "nested objects": filled(() => `${'{"a":'.repeat(29)}1${"}".repeat(29)}`, "[", "]"),
  escapes: filled(() => '"\\u0041\\u0042"', "[", "]"),
  "empty texts": filled(() => '""', "[", "]"),
};

for (const [what, event] of Object.entries(SLOW)) {
  test(`a body that is slow to decode takes many steps, each of at most one event: ${what}`, () => {
    const count = Math.min(
      Math.floor(1_000_000 / event.length),
      Math.floor(BATCH_TOKENS_MAX / (event.match(/[,:[{]/g)?.length ?? 1)),
    );
    const events = Array.from({ length: count }, (_, i) => event.replace("@id", String(i)));
    const text = `{"events":[${events.join()}]}`;
    const [result, steps] = decode(text);
    assert.is(Result.getOrThrow(result).events.length, count);
    assert.ok(steps >= count + Math.floor(text.length / 32_768) / 2, `${steps} for ${count}`);
  });
}

test.run();
