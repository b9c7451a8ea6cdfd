import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeRates, NAMES_MAX } from "./rates.ts";

const test = suite("rates");

const isAbout = (actual: number, expected: number, what: string): void => {
  assert.ok(Math.abs(actual - expected) <= expected * 0.1, `${what}: ${actual}, not ${expected}`);
};

test("a steady rate is reported for each name and for all, however long it lasts", () => {
  const rates = makeRates();
  let now = 0;
  for (; now < 3_600_000; now += 250) {
    rates.add("much", 500, now);
    rates.add("little", 5, now);
    if (now < 60_000 || now % 600_000 !== 0) continue;
    isAbout(rates.of("much", now), 2_000, "much");
    isAbout(rates.of("little", now), 20, "little");
    isAbout(rates.total(now), 2_020, "all");
    isAbout(rates.average(now), 1_010, "the average");
  }
});

test("the rate of a name that stops halves in five seconds, and the name is forgotten", () => {
  const rates = makeRates();
  for (let now = 0; now <= 60_000; now += 100) rates.add("gone", 100, now);
  const before = rates.of("gone", 60_000);
  isAbout(rates.of("gone", 65_000), before / 2, "half");
  for (let now = 60_000; now < 200_000; now += 100) rates.add("here", 1, now);
  assert.is(rates.of("gone", 200_000), 0);
  assert.is(rates.size(), 1);
});

test("setting the clock back or ahead neither raises a rate nor keeps it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -100_000_000, max: 100_000_000 }), { maxLength: 5 }),
      (jumps) => {
        const rates = makeRates();
        let now = 1_000_000_000;
        for (const jump of [0, ...jumps]) {
          now += jump;
          for (let i = 0; i < 300; i++) rates.add("steady", 10, (now += 100));
          const rate = rates.of("steady", now);
          assert.ok(rate > 80 && rate < 120, `${rate} after ${jump}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("made-up names neither take unlimited memory nor hide a name that sends much", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 99 }), (each, phase) => {
      const rates = makeRates();
      let made = 0;
      for (let tick = 0; tick < 200; tick++) {
        const now = tick * 100;
        for (let i = 0; i < 400; i++) {
          rates.add(`made up ${made++}`, each, now);
          if (i === phase) rates.add("real", 200, now);
        }
        assert.ok(rates.size() <= NAMES_MAX);
      }
      // The decaying sum over these 20 s is 15/16 of the infinite one.
      isAbout(rates.of("real", 20_000), 2_000 * (15 / 16), "real");
      isAbout(rates.total(20_000), (4_000 * each + 2_000) * (15 / 16), "all");
    }),
    { numRuns: 10 },
  );
});

test.run();
