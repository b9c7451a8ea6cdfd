import { Effect, Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { ANYONE, type Principal } from "./principal.ts";
import { type Charge, makeQuotas } from "./quotas.ts";

const test = suite("quotas");

const KEY: Principal = { ...ANYONE, keyId: "key", eventsPerMinute: 100 };
const batchOf = (...accounts: ReadonlyArray<string>) => ({
  events: accounts.map((accountId, i) => anEvent({ accountId, eventId: `${i}` })),
  duplicates: 0,
  conflicts: 0,
});

/** What a batch is charged. */
const charged = async (
  principal: Principal,
  accounts: ReadonlyArray<string>,
  quotas: Readonly<Record<string, number>> = {},
) => {
  const taken: Charge[] = [];
  const take = (charges: ReadonlyArray<Charge>) =>
    Effect.sync(() => void taken.push(...charges)).pipe(Effect.as(undefined));
  const service = makeQuotas({ take }, (accountId) => quotas[accountId]);
  await Effect.runPromise(service.take(principal, batchOf(...accounts)));
  return taken;
};

test("a batch is charged to each account that has a quota, and to the key if it has one", async () => {
  assert.equal(await charged(KEY, ["a", "b", "a", "c"], { a: 10, b: 20 }), [
    { name: "account:a", events: 2, perMinute: 10 },
    { name: "account:b", events: 1, perMinute: 20 },
    { name: "key:key", events: 4, perMinute: 100 },
  ]);
});

test("where nothing is bounded nothing is counted", async () => {
  assert.equal(await charged(ANYONE, ["a"]), []);
  assert.equal(await charged({ ...KEY, eventsPerMinute: undefined }, ["a"]), []);
});

test("a quota that is used up says for how long", async () => {
  const take = () => Effect.succeed(17);
  const service = makeQuotas({ take }, () => 10);
  const result = await Effect.runPromise(Effect.result(service.take(ANYONE, batchOf("a"))));
  assert.is(Result.isFailure(result) ? result.failure.retryAfterSeconds : undefined, 17);
});

test.run();
