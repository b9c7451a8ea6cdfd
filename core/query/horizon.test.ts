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

test("of a shard that nothing is known of, no answer is exact", () => {
  const horizon = makeHorizon();
  assert.is(horizon.floor(0, "a"), Number.POSITIVE_INFINITY);
  horizon.observe(1, 5);
  assert.is(horizon.floor(0, "a"), Number.POSITIVE_INFINITY);
  assert.is(horizon.floor(1, "a"), 5);
});

test("of a generation that is not known yet no answer is exact, and later ones count from the first sight", () => {
  const horizon = makeHorizon();
  assert.is(horizon.generation(), Number.POSITIVE_INFINITY);
  horizon.announce(step(3, 5, "a"));
  assert.is(horizon.generation(), Number.POSITIVE_INFINITY);
  for (const [seen, expected] of [
    [2, 2],
    [3, 3],
    // A look that began before the flip and comes late.
    [2, 3],
  ] as const) {
    horizon.enter(seen);
    assert.is(horizon.generation(), expected);
  }
});

test("an announced step voids the answers about its accounts alone", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.announce(step(5, 8, "a"));
  horizon.observe(0, 8);
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [8, 5]);
});

test("a step that was not announced voids the answers of its shard", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.observe(1, 5);
  horizon.announce(step(7, 8, "a"));
  horizon.observe(0, 8);
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b"), horizon.floor(1, "a")], [8, 8, 5]);
});

test("announcements may come late, twice and in any order", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.announce(step(7, 9, "b"));
  horizon.announce(step(5, 6, "a"));
  horizon.announce(step(6, 7));
  horizon.announce(step(5, 6, "a"));
  horizon.observe(0, 9);
  horizon.observe(0, 7);
  assert.equal(
    ["a", "b", "c"].map((account) => horizon.floor(0, account)),
    [6, 9, 5],
  );
});

test("what is known begins with the first announcement where no checkpoint was read yet", () => {
  const horizon = makeHorizon();
  horizon.announce(step(3, 5, "a"));
  assert.is(horizon.floor(0, "b"), 5);
  horizon.announce(step(5, 6, "a"));
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [6, 5]);
});

test("an account that is forgotten takes with it what is older than it", () => {
  const horizon = makeHorizon(2);
  horizon.observe(0, 0);
  for (const [i, account] of ["a", "b", "a", "c"].entries()) {
    horizon.announce(step(i, i + 1, account));
  }
  assert.equal(
    ["a", "b", "c", "d"].map((account) => horizon.floor(0, account)),
    [3, 2, 4, 2],
  );
});

test("ranges that wait for one which never comes are bounded", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 0);
  for (let lo = 1; lo <= 500; lo += 2) horizon.announce(step(lo, lo + 1));
  assert.ok(horizon.floor(0, "a") > 0);
});

test("a checkpoint that was announced and does not exist voids a shard for a few looks, and not for good", () => {
  for (const announce of [
    (horizon: Horizon) => horizon.announce(step(0, Number.MAX_SAFE_INTEGER, "a")),
    (horizon: Horizon) => horizon.announce(step(5, 1_000_000)),
    // More ranges than may wait.
    (horizon: Horizon) => {
      for (let lo = 1_000; lo <= 2_000; lo += 2) horizon.announce(step(lo, lo + 1, "a"));
    },
  ]) {
    const horizon = makeHorizon();
    horizon.observe(0, 5);
    announce(horizon);
    // The first one may have been under way.
    for (let look = 0; look < 4; look++) horizon.observe(0, 6 + look);
    assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [9, 9]);
    horizon.announce(step(9, 10, "a"));
    horizon.observe(0, 10);
    assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [10, 9]);
  }
});

test("one look that is late changes nothing", () => {
  const horizon = makeHorizon();
  horizon.observe(0, 5);
  horizon.announce(step(5, 9, "a"));
  horizon.observe(0, 9);
  for (let i = 0; i < 10; i++) {
    for (let look = 0; look < 2; look++) horizon.observe(0, 5);
    horizon.observe(0, 9);
  }
  assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [9, 5]);
});

test("whatever is announced falsely, after a few looks an answer of the present is exact again", () => {
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
          horizon.announce(step(position, position + move.size, ...move.touched));
          position += move.size;
        } else horizon.announce(step(move.lo, move.hi, ...move.touched));
      }
      // One that may be under way, and then as many as it takes.
      for (let i = 0; i < 4; i++) horizon.observe(0, position);
      for (const account of accounts) assert.ok(horizon.floor(0, account) <= position, account);
    }),
    { numRuns: 1_000 },
  );
});

test("whatever is lost, late or repeated, an answer that is void is never called exact once its checkpoint was read", () => {
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
        else if (fate !== "lost") horizon.announce(told);
        if (fate === "twice") horizon.announce(told);
        if (!observed) continue;
        for (const one of late.splice(0)) horizon.announce(one);
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
