import { Effect, Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { ANYONE, type Principal } from "./principal.ts";
import { makeQuotas, type TokenBuckets } from "./quotas.ts";

const test = suite("quotas");

const KEY: Principal = { ...ANYONE, keyId: "key", eventsPerMinute: 100 };
const batchOf = (...accounts: ReadonlyArray<string>) => ({
  events: accounts.map((accountId, i) => anEvent({ accountId, eventId: `${i}` })),
  duplicates: 0,
  conflicts: 0,
});

const UNUSED: TokenBuckets = {
  take: () => Effect.die("not needed"),
  giveBack: () => Effect.die("not needed"),
};

/** The charges of a batch. */
const charged = (
  principal: Principal,
  accounts: ReadonlyArray<string>,
  quotas: Readonly<Record<string, number>> = {},
) =>
  makeQuotas(UNUSED, (accountId) => quotas[accountId]).chargesOf(principal, batchOf(...accounts));

test("a batch is charged to each account that has a quota, and to the key if it has one", () => {
  assert.equal(charged(KEY, ["a", "b", "a", "c"], { a: 10, b: 20 }), [
    { name: "account:a", events: 2, perMinute: 10 },
    { name: "account:b", events: 1, perMinute: 20 },
    { name: "key:key", events: 4, perMinute: 100 },
  ]);
});

test("without quotas nothing is charged", () => {
  assert.equal(charged(ANYONE, ["a"]), []);
  assert.equal(charged({ ...KEY, eventsPerMinute: undefined }, ["a"]), []);
});

test("a used-up quota says how long to wait", async () => {
  const quotas = makeQuotas({ ...UNUSED, take: () => Effect.succeed(17) }, () => 10);
  const charges = quotas.chargesOf(ANYONE, batchOf("a"));
  const result = await Effect.runPromise(Effect.result(quotas.take(charges)));
  assert.is(Result.isFailure(result) ? result.failure.retryAfterSeconds : undefined, 17);
});

test.run();
