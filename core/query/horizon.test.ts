import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Invalidation } from "../projection/invalidations.ts";
import { type Horizon, makeHorizon } from "./horizon.ts";

const test = suite("horizon");

const step = (lo: number, hi: number, ...accounts: ReadonlyArray<string>): Invalidation => ({
  shard: 0,
  accounts,
  lo,
  hi,
});

test("no answer is exact while nothing is known of its shard", () => {
  const horizon = makeHorizon();
  assert.is(horizon.floor(0, "a"), Number.POSITIVE_INFINITY);
  horizon.observe(1, 5);
  assert.is(horizon.floor(0, "a"), Number.POSITIVE_INFINITY);
  assert.is(horizon.floor(1, "a"), 5);
});

test("no answer is exact while no generation is known, and a later generation counts as soon as it is seen", () => {
  const horizon = makeHorizon();
  assert.is(horizon.generation(), Number.POSITIVE_INFINITY);
  horizon.invalidate(step(3, 5, "a"));
  assert.is(horizon.generation(), Number.POSITIVE_INFINITY);
  for (const [seen, expected] of [
    [2, 2],
    [3, 3],
    // A poll that started before the flip and is late.
    [2, 3],
  ] as const) {
    horizon.enter(seen);
    assert.is(horizon.generation(), expected);
  }
});

test("a published step invalidates only the answers about its accounts", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.invalidate(step(5, 8, "a"));
  horizon.observe(0, 8);
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [8, 5]);
});

test("a step that was not received invalidates all answers of its shard", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.observe(1, 5);
  horizon.invalidate(step(7, 8, "a"));
  horizon.observe(0, 8);
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b"), horizon.floor(1, "a")], [8, 8, 5]);
});

test("invalidations may arrive late, twice and in any order", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.invalidate(step(7, 9, "b"));
  horizon.invalidate(step(5, 6, "a"));
  horizon.invalidate(step(6, 7));
  horizon.invalidate(step(5, 6, "a"));
  horizon.observe(0, 9);
  horizon.observe(0, 7);
  assert.equal(
    ["a", "b", "c"].map((account) => horizon.floor(0, account)),
    [6, 9, 5],
  );
});

test("knowledge starts with the first invalidation if no checkpoint was read yet", () => {
  const horizon = makeHorizon();
  horizon.invalidate(step(3, 5, "a"));
  assert.is(horizon.floor(0, "b"), 5);
  horizon.invalidate(step(5, 6, "a"));
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [6, 5]);
});

test("forgetting an account invalidates the answers that are older than it", () => {
  const horizon = makeHorizon(2);
  horizon.observe(0, 0);
  for (const [i, account] of ["a", "b", "a", "c"].entries()) {
    horizon.invalidate(step(i, i + 1, account));
  }
  assert.equal(
    ["a", "b", "c", "d"].map((account) => horizon.floor(0, account)),
    [3, 2, 4, 2],
  );
});

test("the number of ranges that wait for a missing one is limited", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 0);
  for (let lo = 1; lo <= 500; lo += 2) horizon.invalidate(step(lo, lo + 1));
  assert.ok(horizon.floor(0, "a") > 0);
});

test("a published checkpoint that does not exist invalidates a shard for a few polls, and not for ever", () => {
  for (const announce of [
    (horizon: Horizon) => horizon.invalidate(step(0, Number.MAX_SAFE_INTEGER, "a")),
    (horizon: Horizon) => horizon.invalidate(step(5, 1_000_000)),
    // More ranges than may wait.
    (horizon: Horizon) => {
      for (let lo = 1_000; lo <= 2_000; lo += 2) horizon.invalidate(step(lo, lo + 1, "a"));
    },
  ]) {
    const horizon = makeHorizon();
    horizon.observe(0, 5);
    announce(horizon);
    // The first poll may have started before.
    for (let look = 0; look < 4; look++) horizon.observe(0, 6 + look);
    assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [9, 9]);
    horizon.invalidate(step(9, 10, "a"));
    horizon.observe(0, 10);
    assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [10, 9]);
  }
});

test("one late poll changes nothing", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.invalidate(step(5, 9, "a"));
  horizon.observe(0, 9);
  for (let i = 0; i < 10; i++) {
    for (let look = 0; look < 2; look++) horizon.observe(0, 5);
    horizon.observe(0, 9);
  }
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [9, 5]);
});

test("whatever false checkpoints are published, a current answer is exact again after a few polls", () => {
  const accounts = ["a", "b", "c"];
  const touched = fc.subarray(accounts);
  const real = fc.record({ size: fc.integer({ min: 1, max: 3 }), touched });
  const lo = fc.nat(100);
  const hi = fc.oneof(fc.nat(100), fc.maxSafeNat());
  const moves = fc.array(
    fc.oneof(real, fc.record({ lo, hi, touched }), fc.constant("look" as const)),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(moves, fc.integer({ min: 1, max: 3 }), (made, touchedMax) => {
      const horizon = makeHorizon(touchedMax);
      horizon.observe(0, 0);
      let position = 0;
      for (const move of made) {
        if (move === "look") horizon.observe(0, position);
        else if ("size" in move) {
          horizon.invalidate(step(position, position + move.size, ...move.touched));
          position += move.size;
        } else horizon.invalidate(step(move.lo, move.hi, ...move.touched));
      }
      // One poll that may have started before, and then as many as needed.
      for (let i = 0; i < 4; i++) horizon.observe(0, position);
      for (const account of accounts) assert.ok(horizon.floor(0, account) <= position, account);
    }),
    { numRuns: 1_000 },
  );
});

test("whatever is lost, late or repeated, an invalid answer is never exact once the checkpoint was read", () => {
  const accounts = ["a", "b", "c"];
  const steps = fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 3 }),
      touched: fc.subarray(accounts),
      fate: fc.constantFrom("told", "lost", "late", "twice"),
      observed: fc.boolean(),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 3 }), (taken, touchedMax) => {
      const horizon = makeHorizon(touchedMax);
      horizon.observe(0, 0);
      const late: Invalidation[] = [];
      const last = new Map(accounts.map((account) => [account, 0]));
      let position = 0;
      for (const { size, touched, fate, observed } of taken) {
        const told = step(position, position + size, ...touched);
        position += size;
        for (const account of touched) last.set(account, position);
        if (fate === "late") late.push(told);
        else if (fate !== "lost") horizon.invalidate(told);
        if (fate === "twice") horizon.invalidate(told);
        if (!observed) continue;
        for (const one of late.splice(0)) horizon.invalidate(one);
        horizon.observe(0, position);
        for (const account of accounts) {
          const floor = horizon.floor(0, account);
          assert.ok(floor >= (last.get(account) ?? 0), `${account}: ${floor}`);
          assert.ok(floor <= position, "nothing would ever be exact");
        }
      }
    }),
  );
});

test.run();
