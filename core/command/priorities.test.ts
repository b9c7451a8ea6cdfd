import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { makePriorities, type Priorities } from "./priorities.ts";

const test = suite("priorities");

const eventsOf = (accountId: string, count: number) =>
  Array.from({ length: count }, (_, i) => anEvent({ accountId, eventId: `${i}` }));

/** A client that sends for one account, or for a new account each time. */
interface Sender {
  readonly client: string;
  readonly account: string | undefined;
  readonly perSecond: number;
}

const TICKS_PER_SECOND = 10;
let made = 0;

/** Lets all send at their rates, and returns the priority that a batch of each then has. */
const prioritiesAmong = (senders: ReadonlyArray<Sender>, seconds = 20) => {
  const priorities = makePriorities();
  const send = ({ client, account, perSecond }: Sender, now: number) => {
    const count = Math.max(1, Math.round(perSecond / TICKS_PER_SECOND));
    const events =
      account === undefined
        ? Array.from({ length: count }, () => anEvent({ accountId: `made up ${made++}` }))
        : eventsOf(account, count);
    return priorities.of(client, events, now);
  };
  let last: ReadonlyArray<ReturnType<Priorities["of"]>> = [];
  for (let tick = 0; tick < seconds * TICKS_PER_SECOND; tick++) {
    last = senders.map((sender) => send(sender, (tick * 1_000) / TICKS_PER_SECOND));
  }
  return last;
};

const quiet = (client?: string): ReadonlyArray<Sender> =>
  Array.from({ length: 10 }, (_, i) => ({
    client: client ?? `key:${i}`,
    account: `quiet ${i}`,
    perSecond: 100,
  }));

test("an account with far more events than the others gets a low priority, whichever client sends for it", () => {
  const flood = { client: "key:one", account: "flood", perSecond: 5_000 };
  // One client sends for all of them: its light accounts go ahead of the heavy one.
  const [first, ...others] = prioritiesAmong([flood, ...quiet("key:one")]);
  assert.is(first, "lowest");
  assert.equal(new Set(others), new Set(["low"]));
  // Several clients send for the account: none of them is heavy, but the account is.
  const split = Array.from({ length: 20 }, (_, i) => ({
    client: `key:of the flood ${i}`,
    account: "flood",
    perSecond: 450,
  }));
  const told = prioritiesAmong([...split, ...quiet()]);
  assert.equal(new Set(told.slice(0, 20)), new Set(["low"]));
  assert.equal(new Set(told.slice(20)), new Set(["normal"]));
});

test("a client that sends far more than the others gets a low priority, over however many accounts it spreads", () => {
  const flood = { client: "key:hostile", account: undefined, perSecond: 5_000 };
  const [first, ...others] = prioritiesAmong([flood, ...quiet()]);
  assert.is(first, "low");
  assert.equal(new Set(others), new Set(["normal"]));
});

test("made-up accounts do not make the accounts of others heavy by comparison", () => {
  const flood = { client: "key:hostile", account: undefined, perSecond: 8_000 };
  const busy = { client: "key:busy", account: "busy", perSecond: 900 };
  assert.equal(prioritiesAmong([flood, busy]), ["low", "normal"]);
});

test("equal senders have equal priorities, and those who send little are never heavy", () => {
  const many = Array.from({ length: 50 }, (_, i) => ({
    client: `key:${i}`,
    account: `account ${i}`,
    perSecond: 1_000,
  }));
  assert.equal(new Set(prioritiesAmong(many, 5)), new Set(["normal"]));
  const one = { client: "key:1", account: "a", perSecond: 400 };
  assert.equal(prioritiesAmong([one, { ...one, client: "key:2", account: "b", perSecond: 1 }]), [
    "normal",
    "normal",
  ]);
});

test("those who stop sending are no longer heavy after a while", () => {
  const priorities = makePriorities();
  let now = 0;
  const send = (client: string, count: number) =>
    priorities.of(client, eventsOf(client, count), now);
  for (; now < 60_000; now += 1_000) {
    send("flood", 1_000);
    send("quiet", 50);
  }
  assert.is(priorities.best("flood", now), "low");
  assert.is(send("flood", 1), "lowest");
  for (const end = now + 30_000; now < end; now += 1_000) send("quiet", 50);
  assert.is(priorities.best("flood", now), "normal");
  assert.is(send("flood", 1), "normal");
});

test("a batch has the priority of most of its events", () => {
  const priorities = makePriorities();
  let now = 0;
  for (; now < 20_000; now += 100) {
    for (let i = 0; i < 4; i++) priorities.of(`key:${i}`, eventsOf("flood", 40), now);
    for (let i = 4; i < 20; i++) priorities.of(`key:${i}`, eventsOf(`quiet ${i}`, 1), now);
  }
  const mixed = (ofFlood: number) =>
    priorities.of(
      "key:9",
      [...eventsOf("flood", ofFlood), ...eventsOf("quiet 9", 10 - ofFlood)],
      now,
    );
  assert.is(mixed(5), "normal");
  assert.is(mixed(6), "low");
});

test("those who send less than a quarter of everything and less than five times the average go ahead of the others", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 5_000, max: 10_000 }),
      fc.boolean(),
      (rates, floodPerSecond, spreads) => {
        const others = rates.map((perSecond, i): Sender => ({
          client: `key:${i}`,
          account: `account ${i}`,
          perSecond,
        }));
        const account = spreads ? undefined : "flood";
        const flood: Sender = { client: "key:flood", account, perSecond: floodPerSecond };
        const [ofFlood, ...ofOthers] = prioritiesAmong([flood, ...others], 8);
        assert.is(ofFlood, spreads ? "low" : "lowest");
        const sum = rates.reduce((all, rate) => all + rate, 0);
        for (const [i, rate] of rates.entries()) {
          const average = sum / rates.length;
          if (rate < Math.min((sum + floodPerSecond) / 4, average * 5) * 0.9) {
            assert.is(ofOthers[i], "normal", `${rate} of ${rates.join(", ")}`);
          }
        }
      },
    ),
    { numRuns: 15 },
  );
});

test.run();
