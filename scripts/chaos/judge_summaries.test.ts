import { suite } from "uvu";
import * as assert from "uvu/assert";

import { judgeSummaries, type SummaryAnswer, type SummaryEvidence } from "./judge_summaries.ts";

const test = suite("judge_summaries");

const ANSWER: SummaryAnswer = {
  totals: { custom: 1, login: 2 },
  top_users: [
    { user_id: "ada", events: 2 },
    { user_id: "bob", events: 1 },
  ],
  from: "2026-01-01T00:00:00.000Z",
  to: "2026-01-08T00:00:00.000Z",
};

/** Evidence of correct summaries, with `changed` for the queries that match. */
const evidence = (matches = /never/, changed: Partial<SummaryAnswer> = {}): SummaryEvidence => ({
  accounts: new Map([["acme", { events: 3, types: new Map(Object.entries(ANSWER.totals)) }]]),
  everything: "from=a&to=b",
  summary: async (_, query) => (matches.test(query) ? { ...ANSWER, ...changed } : ANSWER),
  bruteForce: async () => [
    { user_id: "bob", type: "login", events: 1 },
    { user_id: "ada", type: "login", events: 1 },
    { user_id: "ada", type: "custom", events: 1 },
  ],
});

const kindsOf = async (...change: Parameters<typeof evidence>) =>
  (await judgeSummaries(evidence(...change))).map(({ kind }) => kind);

test("correct summaries have no findings, whatever the order of their types", async () => {
  assert.equal(await kindsOf(), []);
  assert.equal(await kindsOf(/window/, { totals: { login: 2, custom: 1 } }), []);
});

test("a total that is too small, too large or of an unexpected type is found", async () => {
  assert.equal(await kindsOf(/from/, { totals: { custom: 1, login: 1 } }), ["lost"]);
  assert.equal(await kindsOf(/from/, { totals: { custom: 1 } }), ["lost"]);
  assert.equal(await kindsOf(/from/, { totals: { custom: 1, login: 3 } }), ["duplicated"]);
  assert.equal(await kindsOf(/from/, { totals: { ...ANSWER.totals, call_made: 1 } }), [
    "duplicated",
  ]);
});

test("a window whose totals or users differ from the log is found", async () => {
  assert.equal(await kindsOf(/last_7d/, { totals: { custom: 1, login: 1 } }), ["differs"]);
  assert.equal(await kindsOf(/last_24h/, { top_users: [] }), ["differs"]);
  assert.equal(await kindsOf(/last_7d/, { top_users: ANSWER.top_users.toReversed() }), ["differs"]);
});

test.run();
