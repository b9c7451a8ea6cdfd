import { test } from "uvu";
import * as assert from "uvu/assert";

import { formatDuration, progressLine } from "./progress_line.ts";

test("a line says how far it is, how fast, and how long it still takes", () => {
  assert.is(
    progressLine({ done: 250_000, total: 1_000_000, elapsedMs: 5_000 }),
    "██████··················  25% of 1,000,000 events, 50,000/s, 15 s left",
  );
});

test("before anything is done nobody knows how long it takes", () => {
  assert.is(
    progressLine({ done: 0, total: 10, elapsedMs: 0 }),
    "························   0% of 10 events, 0/s",
  );
});

test("a line does not claim to be done before it is", () => {
  assert.match(progressLine({ done: 999_999, total: 1_000_000, elapsedMs: 1 }), " 99% of");
  assert.match(progressLine({ done: 1_000_000, total: 1_000_000, elapsedMs: 1 }), "100% of");
});

test("a duration is told in its two largest units", () => {
  assert.equal([0, 59.6, 200, 7_500].map(formatDuration), [
    "0 s",
    "1 min 0 s",
    "3 min 20 s",
    "2 h 5 min",
  ]);
});

test.run();
