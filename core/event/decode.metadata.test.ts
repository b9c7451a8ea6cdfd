import { suite } from "uvu";
import * as assert from "uvu/assert";

import { parseMarked } from "../json/parse.fixture.ts";
import { JSON_DEPTH_MAX } from "../json/storable.ts";
import { accepted, assertRefused, refused, sentEvent } from "./decode.fixture.ts";
import { EVENT_BYTES_MAX } from "./rules.ts";

const test = suite("decodeEvent: metadata and size");

const { TextEncoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { encode(text: string): { readonly length: number } };
};
const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

/** An event whose metadata is this JSON text, parsed like a request. */
const parsed = (metadata: string): unknown => {
  const text = `${JSON.stringify(sentEvent()).slice(0, -1)},"metadata":${metadata}}`;
  return parseMarked(text);
};

/** An event of exactly this many bytes, filled with repetitions of `filler`. */
const eventOfBytes = (bytes: number, filler: string): Record<string, unknown> => {
  const overhead = bytesOf(sentEvent({ metadata: { text: "" } }));
  const fillerBytes = bytesOf(filler) - 2;
  const count = Math.floor((bytes - overhead) / fillerBytes);
  const rest = bytes - overhead - count * fillerBytes;
  const event = sentEvent({ metadata: { text: filler.repeat(count) + "a".repeat(rest) } });
  assert.is(bytesOf(event), bytes);
  return event;
};

/** JSON text of arrays or objects nested this deep, with a value in the innermost one. */
const nested = (depth: number, open: string, close: string): string =>
  `${open.repeat(depth)}1${close.repeat(depth)}`;

test("metadata that is not an object is refused", () => {
  for (const metadata of ["null", "[]", '[{"a":1}]', '""', '"text"', "0", "17", "true", "false"]) {
    assertRefused(parsed(metadata), "metadata", /must be an object/);
  }
});

test("metadata is stored as sent, except for white space", () => {
  const text = '{"z":{"1":null,"a":[]},"":" ","ü":-1.25e-7,"n":[[1],[2]]}';
  assert.is(accepted(parsed(text)).metadata, text);
  assert.is(accepted(parsed('{ "b" : 1.50,\n"a" : 1e3 }')).metadata, '{"b":1.5,"a":1000}');
});

test("metadata may nest 32 deep and not 33", () => {
  assert.is(JSON_DEPTH_MAX, 32);
  const objects = (depth: number): string => nested(depth, '{"a":', "}");
  const arrays = (depth: number): string => `{"a":${nested(depth - 1, "[", "]")}}`;
  for (const nestedIn of [objects, arrays]) {
    accepted(parsed(nestedIn(32)));
    const [[path, message] = ["", ""]] = refused(parsed(nestedIn(33)));
    assert.match(path, /^metadata/);
    assert.match(message, /not nest deeper than 32/);
  }
});

test("metadata nested a hundred thousand deep is refused and breaks nothing", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  const [[, message] = ["", ""]] = refused(sentEvent({ metadata: { deep } }));
  assert.match(message, /not nest deeper/);
});

test("what Postgres cannot store is refused at its path", () => {
  for (const [metadata, path, message] of [
    ['{"a":"x\\u0000y"}', "metadata.a", /\\u0000/],
    ['{"a":{"b":["c",{"d":"\\u0000"}]}}', "metadata.a.b[1].d", /\\u0000/],
    ['{"a\\u0000":1}', "metadata", /key .*\\u0000/],
    ['{"a":["\\ud800"]}', "metadata.a[0]", /lone surrogate/],
    ['{"a":"\\ude00\\ud83d"}', "metadata.a", /lone surrogate/],
    ['{"a":{"\\udfff":1}}', "metadata.a", /key .*lone surrogate/],
    ['{"a":1e400}', "metadata.a", /1e400, which would lose value; send it as a string/],
    ['{"a":[0,-1e-400]}', "metadata.a[1]", /-1e-400/],
    ['{"a":9007199254740993}', "metadata.a", /9007199254740993/],
  ] as const) {
    assertRefused(parsed(metadata), path, message);
  }
});

test("a number that loses value is refused anywhere in an event", () => {
  const withNumber = (field: string): unknown => {
    const text = JSON.stringify(sentEvent({ [field]: "@" })).replace('"@"', "1234567890123456789");
    return parseMarked(text);
  };
  for (const field of ["event_id", "account_id", "user_id"]) {
    assertRefused(withNumber(field), field, /^must be a string$/);
  }
  assertRefused(withNumber("type"), "type", /must be one of/);
  assertRefused(withNumber("timestamp"), "timestamp", /ISO 8601/);
  assertRefused(withNumber("metadata"), "metadata", /must be an object/);
});

test("a path of many long keys is shortened in the answer", () => {
  const key = "k".repeat(150);
  const [[path] = [""]] = refused(parsed(`{"${key}":{"${key}":"\\u0000"}}`));
  assert.is(path, `metadata.${key}.${key}`.slice(0, 200) + "…");
});

test("an event of exactly 32 KiB is accepted, and one of a byte more is not", () => {
  assert.is(EVENT_BYTES_MAX, 32_768);
  // Characters of one to four bytes, and two that take more bytes as JSON than as text.
  for (const filler of ["a", "é", "€", "😀", '"', "\n"]) {
    accepted(eventOfBytes(EVENT_BYTES_MAX, filler));
    assertRefused(eventOfBytes(EVENT_BYTES_MAX + 1, filler), "", /at most 32768 bytes/);
  }
});

test("the identifiers count towards the size of an event", () => {
  const event = eventOfBytes(EVENT_BYTES_MAX, "a");
  assertRefused({ ...event, user_id: `${String(event["user_id"])}!` }, "", /at most 32768 bytes/);
});

test("only metadata can make an event too large", () => {
  const longest = "😀".repeat(255);
  const event = { event_id: longest, account_id: longest, user_id: '"\\'.repeat(127) };
  assert.ok(accepted(sentEvent(event)));
  assert.ok(accepted(sentEvent({ ...event, metadata: { a: "€".repeat(4_000) } })));
});

test.run();
