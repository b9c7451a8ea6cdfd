import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Api, batchOf, postBytes, refusal, startApi, validEvent } from "../api.fixture.ts";

const test = suite<{ api: Api }>("POST /events, invalid events");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  assert.equal(Reflect.ownKeys(Object.prototype).length, PROTOTYPE_KEYS, "a prototype is polluted");
  await api.close();
});

const PROTOTYPE_KEYS = Reflect.ownKeys(Object.prototype).length;

/** A batch as JSON whose second event has a field with this JSON value. */
const withField = (field: string, json: string): string =>
  batchOf(validEvent(), validEvent({ [field]: "PLACE" })).replace('"PLACE"', json);

/** Asserts that a value of a field is refused, with the event, the path and how to fix it. */
const refuses = (
  what: string,
  field: string,
  values: Readonly<Record<string, string>>,
  message: RegExp,
  path = field,
): void => {
  for (const [name, json] of Object.entries(values)) {
    test(`${field} ${what} (${name}) is refused by name`, async ({ api }) => {
      const bytes = postBytes(withField(field, json));
      const { errors, detail } = await refusal(api, bytes, 400, "event-invalid");
      assert.is(errors.length, 1);
      assert.is(errors[0]?.index, 1);
      assert.is(errors[0]?.path, path);
      assert.match(errors[0]?.message ?? "", message);
      assert.match(detail, `events[1].${path} `);
    });
  }
};

const NO_STRINGS = {
  "a number": "7",
  null: "null",
  "a boolean": "true",
  "a list": '["a"]',
  "an object": '{"toString":1}',
  "a number that loses precision": "1e400",
};

for (const field of ["event_id", "account_id", "user_id"]) {
  refuses("of a wrong type", field, NO_STRINGS, /./);
  refuses("without a character", field, { empty: '""' }, /must not be empty/);
  refuses("that is too long", field, { 256: `"${"é".repeat(256)}"` }, /at most 255 characters/);
  refuses(
    "with a control character",
    field,
    {
      "U+0000": '"a\\u0000b"',
      "a line feed": '"a\\nb"',
      DEL: '"\\u007f"',
      "one of C1": '"\\u0085"',
    },
    /control characters/,
  );
  refuses(
    "that is no Unicode",
    field,
    { "a high surrogate": '"a\\ud83d"', "a low one": '"\\ude00a"', swapped: '"\\ude00\\ud83d"' },
    /lone surrogate/,
  );
}

refuses("of a wrong type", "type", NO_STRINGS, /./);
refuses(
  "that is not allowed",
  "type",
  { unknown: '"logout"', empty: '""', "in capitals": '"LOGIN"', inherited: '"__proto__"' },
  /must be one of message_sent, .* EVENT_TYPES/,
);

refuses("of a wrong type", "timestamp", NO_STRINGS, /ISO 8601/);
refuses(
  "that is not a timestamp",
  "timestamp",
  {
    prose: '"yesterday"',
    empty: '""',
    "a date": '"2026-01-31"',
    "no offset": '"2026-01-31T09:30:00"',
    "no such day": '"2026-02-29T00:00:00Z"',
    "no such month": '"2026-13-01T00:00:00Z"',
    "hour 24": '"2026-01-31T24:00:00Z"',
    "a leap second": '"2016-12-31T23:59:60Z"',
    "offset of a day": '"2026-01-31T00:00:00+24:00"',
    "a line feed at the end": '"2026-01-31T00:00:00Z\\n"',
    "digits of another script": '"２０２６-01-31T00:00:00Z"',
  },
  /must be an ISO 8601 timestamp with an offset, such as/,
);
const fromNow = (ms: number): string => JSON.stringify(new Date(Date.now() + ms).toISOString());
const MINUTE_MS = 60_000;
const TEN_YEARS_MS = 3_653 * 1_440 * MINUTE_MS;
refuses(
  "out of range",
  "timestamp",
  { "6 minutes ahead": fromNow(6 * MINUTE_MS), "the year 9999": '"9999-12-31T23:59:59Z"' },
  /in the future: must not be after 20/,
);
refuses(
  "out of range",
  "timestamp",
  { "10 years ago": fromNow(-TEN_YEARS_MS - MINUTE_MS), "the year 0": '"0000-01-01T00:00:00Z"' },
  /too old: must not be before|ISO 8601/,
);

refuses(
  "of a wrong type",
  "metadata",
  { null: "null", "a list": "[]", text: '"{}"', "a number": "1" },
  /must be an object/,
);

const nested = (depth: number): string => '{"a":'.repeat(depth - 1) + "{}" + "}".repeat(depth - 1);
const below = (depth: number): string => `metadata${".a".repeat(depth - 1)}`;
refuses("too deep", "metadata", { 33: nested(33) }, /deeper than 32/, below(33));
refuses("far too deep", "metadata", { "8,000": nested(8_000) }, /deeper than 32/, below(33));

const NUL = /must not contain \\u0000/;
refuses("with U+0000", "metadata", { "in a text": '{"a":["\\u0000"]}' }, NUL, "metadata.a[0]");
const LONE = /lone surrogate/;
refuses("with half a pair", "metadata", { "in a text": '{"a":"\\ud83d"}' }, LONE, "metadata.a");
const LOSSY = /is the number .*, which would lose value; send it as a string/;
refuses(
  "with a number that loses precision",
  "metadata",
  {
    "1e400": '{"a":{"b":1e400}}',
    "-1e400": '{"a":{"b":-1e400}}',
    "1e-400": '{"a":{"b":1e-400}}',
    "2^53 + 1": '{"a":{"b":9007199254740993}}',
    "two hundred kilobytes long": `{"a":{"b":1${"0".repeat(200_000)}1}}`,
  },
  LOSSY,
  "metadata.a.b",
);
refuses(
  "with a zero that loses its sign",
  "metadata",
  { "-0": '{"a":[-0]}', "-0.0": '{"a":[-0.0]}', "-0e5": '{"a":[-0e5]}' },
  /is the number -0.*, which would lose its sign; send 0 or a string/,
  "metadata.a[0]",
);
refuses(
  "with a repeated key",
  "metadata",
  { plain: '{"a":[{"b":1,"b":1}]}', escaped: '{"a":[{"b":{},"\\u0062":[]}]}' },
  /must be given once/,
  "metadata.a[0].b",
);
for (const [what, key] of Object.entries({ "U+0000": "\\u0000", "half a pair": "\\ud83d" })) {
  test(`metadata with ${what} in a key is refused`, async ({ api }) => {
    const bytes = postBytes(withField("metadata", `{"a":{"${key}":1}}`));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.is(errors[0]?.index, 1);
    assert.match(errors[0]?.path ?? "", /^metadata\.a/);
  });
}
test("metadata with a key __proto__, however deep, is refused", async ({ api }) => {
  for (const json of ['{"__proto__":{"polluted":1}}', '{"a":[{"__proto__":{"polluted":1}}]}']) {
    const bytes = postBytes(withField("metadata", json));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.match(errors[0]?.message ?? "", /__proto__/);
  }
  assert.is(Reflect.get({}, "polluted"), undefined);
});

for (const field of ["event_id", "account_id", "user_id", "type", "timestamp"]) {
  test(`an event without ${field} is refused by name`, async ({ api }) => {
    const { [field]: _, ...rest } = validEvent() as Readonly<Record<string, unknown>>;
    const bytes = postBytes(batchOf(rest, validEvent()));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.equal(errors, [{ index: 0, path: field, message: "is missing" }]);
  });
}

for (const [what, json] of Object.entries({
  null: "null",
  "a number": "7",
  "a string": '"login"',
  "a list": "[]",
})) {
  test(`an event that is ${what} is refused by its index`, async ({ api }) => {
    const bytes = postBytes(batchOf(validEvent(), "PLACE").replace('"PLACE"', json));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.equal(errors, [{ index: 1, path: "", message: "must be an object" }]);
  });
}

test("an unknown field is refused by name, __proto__ and constructor, too", async ({ api }) => {
  for (const field of ["user", "__proto__", "constructor"]) {
    const bytes = postBytes(batchOf(validEvent({ PLACE: {} })).replace('"PLACE"', `"${field}"`));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.is(errors[0]?.path, field);
    assert.match(errors[0]?.message ?? "", /is not a field of an event; the fields are event_id, /);
  }
});

test("a repeated field is refused by name, whatever its first value", async ({ api }) => {
  for (const [field, first] of [
    ["user_id", '"user_id":"eve"'],
    ["user_id", '"user_id":7'],
    ["timestamp", '"timest\\u0061mp":"2026-01-31T09:30:00Z"'],
    ["metadata", '"metadata":{"n":1e400}'],
  ] as const) {
    const event = JSON.stringify(validEvent({ metadata: {} })).replace("{", () => `{${first},`);
    const bytes = postBytes(batchOf(validEvent(), "PLACE").replace('"PLACE"', () => event));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.equal(errors, [{ index: 1, path: field, message: "must be given once" }]);
  }
});

test("an event of more than 32 KiB is refused, however its bytes are spread", async ({ api }) => {
  const metadatas = [
    { text: "x".repeat(32 * 1024) },
    { text: "€".repeat(11_000) },
    Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`key${i}`, i])),
  ];
  for (const metadata of metadatas) {
    const bytes = postBytes(batchOf(validEvent({ metadata })));
    const { errors } = await refusal(api, bytes, 400, "event-invalid");
    assert.is(errors[0]?.index, 0);
    assert.match(errors[0]?.message ?? "", /at most 32768 bytes/);
  }
});

test("all issues are reported together, up to 100", async ({ api }) => {
  const two = batchOf({ event_id: 7 }, validEvent(), validEvent({ type: "x", timestamp: "x" }));
  const { errors } = await refusal(api, postBytes(two), 400, "event-invalid");
  assert.equal(errors.map(({ index, path }) => `${index} ${path}`).toSorted(), [
    "0 account_id",
    "0 event_id",
    "0 timestamp",
    "0 type",
    "0 user_id",
    "2 timestamp",
    "2 type",
  ]);
  const many = batchOf(...Array.from({ length: 1_000 }, () => ({})));
  const refused = await refusal(api, postBytes(many), 400, "event-invalid");
  assert.is(refused.errors.length, 100);
});

test.run();
