import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accepted, assertRefused, NOW, refused, rulesWith, sentEvent } from "./decode.fixture.ts";
import { decodeEvent, type Issue } from "./decode.ts";
import { EVENT_RULES_DEFAULT } from "./rules.ts";

const test = suite("decodeEvent");

const IDENTIFIERS = ["event_id", "account_id", "user_id"] as const;

test("a valid event keeps every field as sent", () => {
  const { fingerprint, ...event } = accepted(
    sentEvent({
      event_id: " e\u00a01 ",
      account_id: "Ünï'\"\\😀",
      user_id: "null",
      timestamp: "2026-01-31T10:30:00.123+01:00",
      metadata: { b: 1.5, a: [true, null, "ü"] },
    }),
  );
  assert.equal(event, {
    eventId: " e\u00a01 ",
    accountId: "Ünï'\"\\😀",
    userId: "null",
    type: "login",
    occurredAt: Date.UTC(2026, 0, 31, 9, 30, 0, 123),
    metadata: '{"b":1.5,"a":[true,null,"ü"]}',
  });
  assert.ok(Number.isSafeInteger(fingerprint) && fingerprint >= 0);
});

test("metadata is optional, and null if it is missing", () => {
  assert.is(accepted(sentEvent()).metadata, null);
  assert.is(accepted(sentEvent({ metadata: {} })).metadata, "{}");
});

test("an event that is not an object is refused as a whole", () => {
  for (const input of [undefined, null, true, 1, "event", [], [sentEvent()]]) {
    assertRefused(input, "", /must be an object/);
  }
});

test("a missing field is refused by its name", () => {
  for (const field of [...IDENTIFIERS, "type", "timestamp"]) {
    assertRefused(sentEvent({ [field]: undefined }), field, /^is missing$/);
  }
});

test("a field of the wrong type is refused by its name", () => {
  for (const value of [null, true, 0, 17, [], ["a"], {}, { a: "b" }]) {
    for (const field of [...IDENTIFIERS, "type"]) {
      assertRefused(sentEvent({ [field]: value }), field, /^must be a string$/);
    }
    assertRefused(sentEvent({ timestamp: value }), "timestamp", /ISO 8601 timestamp/);
  }
});

test("an identifier that breaks its rule is refused by its name", () => {
  for (const field of IDENTIFIERS) {
    accepted(sentEvent({ [field]: "x" }));
    accepted(sentEvent({ [field]: "x".repeat(255) }));
    accepted(sentEvent({ [field]: "😀".repeat(255) }));
    assertRefused(sentEvent({ [field]: "" }), field, /must not be empty/);
    assertRefused(sentEvent({ [field]: "x".repeat(256) }), field, /at most 255 .*not 256/);
    assertRefused(sentEvent({ [field]: "😀".repeat(256) }), field, /at most 255 .*not 256/);
    assertRefused(sentEvent({ [field]: "a\u0000b" }), field, /control characters/);
    assertRefused(sentEvent({ [field]: "a\ud800b" }), field, /lone surrogate/);
  }
});

test("an account named . or .. is refused, and a user or event of that name is not", () => {
  for (const name of [".", ".."]) {
    assertRefused(sentEvent({ account_id: name }), "account_id", /must not be \. or \.\./);
    accepted(sentEvent({ event_id: name, user_id: name, account_id: `${name}a` }));
  }
  accepted(sentEvent({ account_id: "..." }));
});

test("a type that is not allowed is refused, and the message names EVENT_TYPES and the allowed types", () => {
  for (const type of ["", "logout", "Login", "login ", "__proto__", "constructor"]) {
    assertRefused(
      sentEvent({ type }),
      "type",
      /message_sent, call_made, form_submitted, login, custom .*EVENT_TYPES/,
    );
  }
});

test("the rules decide which types are allowed", () => {
  const rules = rulesWith({ types: new Set(["refund"]) });
  assert.is(accepted(sentEvent({ type: "refund" }), rules).type, "refund");
  assertRefused(sentEvent({ type: "login" }), "type", /one of refund .*EVENT_TYPES/, rules);
});

test("with * every well-formed type is allowed, and no other", () => {
  const rules = rulesWith({ types: "*" });
  assert.is(accepted(sentEvent({ type: "a.b:c-d_9" }), rules).type, "a.b:c-d_9");
  assertRefused(sentEvent({ type: "Refund" }), "type", /must match/, rules);
});

test("an unknown field is refused by its name, with a list of the fields of an event", () => {
  assertRefused(
    sentEvent({ userId: "ada" }),
    "userId",
    /event_id, account_id, user_id, type, timestamp, metadata/,
  );
  assertRefused(sentEvent({ "": 1 }), "", /is not a field/);
  assertRefused(sentEvent({ constructor: 1 }), "constructor", /is not a field/);
});

test("the name of an unknown field is shortened and well-formed in the answer", () => {
  const [path = ""] = refused(sentEvent({ ["k".repeat(100_000)]: 1 }))[0] ?? [];
  assert.is(path, `${"k".repeat(200)}…`);
  for (const name of ["a\ud800", `${"k".repeat(199)}😀😀`]) {
    const [shown = ""] = refused(sentEvent({ [name]: 1 }))[0] ?? [];
    assert.ok(shown.isWellFormed(), shown);
  }
});

test("all problems of an event are reported together", () => {
  const issues = refused({
    account_id: "",
    event_id: 1,
    type: "logout",
    timestamp: "yesterday",
    metadata: { n: "\u0000" },
    extra: true,
  });
  assert.equal(issues.map(([path]) => path).toSorted(), [
    "account_id",
    "event_id",
    "extra",
    "metadata.n",
    "timestamp",
    "type",
    "user_id",
  ]);
});

test("issues are added after those that were found before", () => {
  const issues: Issue[] = [{ index: 0, path: "type", message: "is missing" }];
  const decode = (input: unknown) => decodeEvent(input, 1, EVENT_RULES_DEFAULT, NOW, issues);
  assert.ok(decode(sentEvent()), "what was wrong before must not refuse this event");
  assert.is(decode(sentEvent({ user_id: "" })), undefined);
  assert.equal(
    issues.map(({ index, path }) => [index, path]),
    [
      [0, "type"],
      [1, "user_id"],
    ],
  );
});

test("a __proto__ key is refused anywhere, and nothing is polluted", () => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const withProto = (at: "event" | "metadata" | "deep"): unknown => {
    const proto = '"__proto__":{"event_id":"polluted","polluted":true}';
    const metadata = at === "metadata" ? proto : at === "deep" ? `"a":[{${proto}}]` : "";
    const fields = JSON.stringify(sentEvent()).slice(1, -1);
    return JSON.parse(`{${fields},${at === "event" ? proto : `"metadata":{${metadata}}`}}`);
  };
  assertRefused(withProto("event"), "__proto__", /is not a field/);
  assertRefused(withProto("metadata"), "metadata", /__proto__/);
  assertRefused(withProto("deep"), "metadata.a[0]", /__proto__/);
  assert.equal(Object.getOwnPropertyNames(Object.prototype), before);
  assert.is(({} as Record<string, unknown>)["polluted"], undefined);
});

test("a field cannot come from the __proto__ of an event", () => {
  const { event_id: _, ...rest } = sentEvent();
  const text = `{"__proto__":{"event_id":"inherited"},${JSON.stringify(rest).slice(1)}`;
  assert.equal(refused(JSON.parse(text)), [
    ["event_id", "is missing"],
    [
      "__proto__",
      "is not a field of an event; the fields are event_id, account_id, user_id, type, timestamp, metadata",
    ],
  ]);
});

test.run();
