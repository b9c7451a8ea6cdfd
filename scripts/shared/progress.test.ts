import { suite } from "uvu";
import * as assert from "uvu/assert";

import { duration, elapsed } from "./format.ts";
import { progressLine } from "./progress.ts";

const test = suite("progressLine");

test("it shows the share, the rate and the remaining time", () => {
  const half = { done: 2_500_000, of: 5_000_000, sinceMs: 1_000, doneBefore: 0 };
  assert.is(
    progressLine("Folding", half, 6_000),
    "Folding [############------------] 50% 2,500,000 of 5,000,000 events, 500,000 events/s, 5 s left",
  );
});

test("work of earlier runs counts for the share but not for the rate", () => {
  const resumed = { done: 3_000, of: 4_000, sinceMs: 0, doneBefore: 2_000 };
  assert.match(
    progressLine("Folding", resumed, 10_000),
    "75% 3,000 of 4,000 events, 100 events/s, 10 s left",
  );
});

test("only finished work is shown as 100%", () => {
  const nearly = { done: 999_999, of: 1_000_000, sinceMs: 0, doneBefore: 0 };
  assert.match(progressLine("Seeding", nearly, 1_000), "] 99% ");
  assert.match(progressLine("Seeding", { ...nearly, done: 1_000_000 }, 1_000), "] 100% ");
});

test("an empty log is done, and there is no remaining time without a rate", () => {
  const empty = { done: 0, of: 0, sinceMs: 0, doneBefore: 0 };
  assert.match(progressLine("Folding", empty, 0), "100% 0 of 0 events, 0 events/s");
  assert.not.match(progressLine("Folding", { ...empty, of: 9 }, 0), "left");
});

test("durations are shown in at most two units", () => {
  assert.equal([0, 59.2, 200, 7_500].map(duration), [
    "0 s",
    "1 min 0 s",
    "3 min 20 s",
    "2 h 5 min",
  ]);
});

test("measured times below ten seconds have tenths", () => {
  assert.equal([0, 0.04, 0.44, 1.25, 9.94, 9.96, 59.4, 59.6, 200.4].map(elapsed), [
    "0.0 s",
    "0.0 s",
    "0.4 s",
    "1.3 s",
    "9.9 s",
    "10 s",
    "59 s",
    "1 min 0 s",
    "3 min 20 s",
  ]);
});

test.run();
