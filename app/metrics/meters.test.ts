import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeMeters } from "./meters.ts";

const test = suite("meters");

const TAKES = ["takes_seconds", "How long it takes", [0.1, 1]] as const;

test("a counter starts at 0 and adds up", () => {
  const meters = makeMeters();
  const count = meters.counter("things_total", "Things")({ kind: "a" });
  assert.match(meters.text(), /^things_total\{kind="a"\} 0$/m);
  count();
  count(41);
  assert.match(meters.text(), /^# HELP things_total Things\n# TYPE things_total counter\n/m);
  assert.match(meters.text(), /^things_total\{kind="a"\} 42$/m);
});

test("a histogram counts a value into every bucket whose bound is not below it", () => {
  const meters = makeMeters();
  const observe = meters.histogram(...TAKES)();
  for (const seconds of [0.05, 0.1, 0.5, 7]) observe(seconds);
  const lines = meters.text().trimEnd().split("\n");
  assert.equal(lines, [
    "# HELP takes_seconds How long it takes",
    "# TYPE takes_seconds histogram",
    'takes_seconds_bucket{le="0.1"} 2',
    'takes_seconds_bucket{le="1"} 3',
    'takes_seconds_bucket{le="+Inf"} 4',
    "takes_seconds_sum 7.65",
    "takes_seconds_count 4",
  ]);
});

test("a value can be added many times, and counts exceed 32 bits", () => {
  const meters = makeMeters();
  const observe = meters.histogram(...TAKES)();
  observe(0.5, 2 ** 32);
  observe(0.5, 3);
  assert.match(meters.text(), /^takes_seconds_bucket\{le="1"\} 4294967299$/m);
  assert.match(meters.text(), /^takes_seconds_sum 2147483649.5$/m);
});

test("a series that is made again is the same one, beside the others of its metric", () => {
  const meters = makeMeters();
  meters.counter("things_total", "Things")({ kind: "a" })(1);
  meters.counter("things_total", "Things")({ kind: "a" })(1);
  meters.counter("things_total", "Things")({ kind: "b" })(5);
  const text = meters.text();
  assert.match(text, /^things_total\{kind="a"\} 2$/m);
  assert.match(text, /^things_total\{kind="b"\} 5$/m);
  assert.is(text.match(/^# TYPE/gm)?.length, 1);
});

test("a gauge has its last value", () => {
  const meters = makeMeters();
  const set = meters.gauge("level", "A level")();
  set(3);
  set(-1.5);
  assert.match(meters.text(), /^level -1.5$/m);
});

test.run();
