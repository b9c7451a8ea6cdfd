import { suite } from "uvu";
import * as assert from "uvu/assert";

import { figuresOf, type Sample } from "./samples.ts";

const test = suite("figuresOf");

const sample = (dueAt: number, tookMs: number, answer: number | string): Sample => ({
  dueAt,
  tookMs,
  answer,
});

test("a request belongs to the phase in which it was due, however late its answer", () => {
  const samples = [
    sample(9, 1, 202),
    sample(10, 5_000, 202),
    sample(19, 1, 202),
    sample(20, 1, 202),
  ];
  const { sent, maxMs } = figuresOf(samples, 202, 10, 20);
  assert.equal([sent, maxMs], [2, 5_000]);
});

test("percentiles include refused requests", () => {
  const samples = Array.from({ length: 100 }, (_, i) => sample(i, i, i % 2 === 0 ? 202 : 503));
  const { p50Ms, p95Ms, maxMs } = figuresOf(samples, 202, 0, 100);
  assert.equal([p50Ms, p95Ms, maxMs], [50, 95, 99]);
});

test("each other answer is counted separately, and so is a missing one", () => {
  const samples = [200, 503, "timeout", 503].map((answer, i) => sample(i, 1, answer));
  const { ok, others } = figuresOf(samples, 200, 0, 4);
  assert.is(ok, 1);
  assert.equal(others, { 503: 2, timeout: 1 });
});

test("without requests percentiles are NaN", () => {
  const { sent, p95Ms } = figuresOf([], 200, 0, 1);
  assert.is(sent, 0);
  assert.ok(Number.isNaN(p95Ms));
});

test.run();
