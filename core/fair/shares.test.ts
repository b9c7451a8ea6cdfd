import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeShares } from "./shares.ts";

const test = suite("shares");

/** Takes one at a time until refused; returns how much it got, and the reason. */
const takeAll = (shares: ReturnType<typeof makeShares>, client: string) => {
  let taken = 0;
  for (;;) {
    const refusal = shares.take(client, 1);
    if (refusal !== undefined) return { taken, refusal };
    taken++;
  }
};

test("a client alone can take half, and is then refused because of its own share", () => {
  const shares = makeShares(1_000);
  assert.equal(takeAll(shares, "greedy"), { taken: 500, refusal: "share" });
  assert.is(shares.held(), 500);
});

test("a client finds room, however greedy the previous one was", () => {
  const shares = makeShares(1_000);
  takeAll(shares, "greedy");
  assert.is(shares.take("newcomer", 250), undefined);
});

test("clients that take in turns get equal parts, and the same amount stays free", () => {
  const shares = makeShares(1_000);
  const taken = new Map(["a", "b", "c", "d"].map((client) => [client, 0]));
  let refused = 0;
  while (refused < taken.size) {
    refused = 0;
    for (const [client, count] of taken) {
      if (shares.take(client, 1) === undefined) taken.set(client, count + 1);
      else refused++;
    }
  }
  for (const count of taken.values()) assert.ok(Math.abs(count - 200) <= 1, `${count}`);
});

test("a client below an equal share that finds no room is refused because others hold too much", () => {
  const shares = makeShares(1_000);
  assert.is(shares.take("first", 500), undefined);
  assert.is(shares.take("second", 250), undefined);
  assert.is(shares.take("third", 10), undefined);
  assert.is(shares.take("third", 200), "full");
  assert.is(shares.take("newcomer", 200), "full");
  assert.is(shares.take("first", 1), "share");
});

test("what is given back is available again, and clients that hold nothing are forgotten", () => {
  const shares = makeShares(1_000);
  takeAll(shares, "greedy");
  shares.giveBack("greedy", 200);
  shares.giveBack("greedy", 300);
  assert.is(shares.clients(), 0);
  assert.is(shares.held(), 0);
  assert.is(shares.take("other", 500), undefined);
});

test("giving back more than was taken is a defect", () => {
  const shares = makeShares(1_000);
  shares.take("a", 10);
  assert.throws(() => shares.giveBack("a", 11), /gives back [0-9]+, more than it took/);
  assert.throws(() => shares.giveBack("b", 1), /gives back [0-9]+, more than it took/);
});

const CLIENTS = ["a", "b", "c", "d", "e"];
const operations = fc.array(
  fc.record({
    client: fc.constantFrom(...CLIENTS),
    // Zero gives back everything.
    amount: fc.integer({ min: 0, max: 400 }),
  }),
  { maxLength: 200 },
);

test("whatever clients do, none holds more than stays free after it has taken, and the sums agree", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const shares = makeShares(1_000);
      const held = new Map<string, number>();
      const sum = () => [...held.values()].reduce((all, each) => all + each, 0);
      for (const { client, amount } of steps) {
        const before = held.get(client) ?? 0;
        const free = 1_000 - sum();
        if (amount === 0) {
          shares.giveBack(client, before);
          held.delete(client);
        } else {
          const refusal = shares.take(client, amount);
          assert.is(refusal === undefined, before + amount <= free - amount);
          if (refusal === undefined) held.set(client, before + amount);
          else if (refusal === "share") assert.ok(before + amount > 1_000 / (held.size + 1));
        }
        assert.is(shares.held(), sum());
        assert.is(shares.clients(), held.size);
      }
    }),
    { numRuns: 300 },
  );
});

test("a new client that takes at most half of what is free is never refused", () => {
  fc.assert(
    fc.property(operations, fc.double({ min: 0.01, max: 1, noNaN: true }), (steps, part) => {
      const shares = makeShares(1_000);
      for (const { client, amount } of steps) shares.take(client, amount);
      // However many clients take, none can take the last of it.
      const free = 1_000 - shares.held();
      assert.ok(free > 0);
      assert.is(shares.take("newcomer", (free / 2) * part), undefined);
    }),
    { numRuns: 300 },
  );
});

test.run();
