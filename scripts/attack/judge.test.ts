import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type AttackFigures, judge, type Phases, PROMISES, slower, tooBusy } from "./judge.ts";
import type { SampleFigures } from "./samples.ts";

const test = suite("judge");

const quick: SampleFigures = { sent: 100, ok: 100, p50Ms: 2, p95Ms: 10, maxMs: 20, others: {} };
const calm: Phases = { before: quick, during: quick, after: quick };

const kept: AttackFigures = {
  posts: calm,
  reads: calm,
  readyz: calm,
  healthz: calm,
  revokedAfterMs: 2_000,
  processes: [
    {
      name: "api",
      residentMib: 300,
      residentMaxMib: 512,
      cpuSeconds: 1,
      waitedSeconds: 0,
      died: undefined,
    },
  ],
  miscounted: [],
};

const during = (figures: Partial<SampleFigures>): Phases => ({
  ...calm,
  during: { ...quick, ...figures },
});

const process = (figures: Partial<AttackFigures["processes"][number]>) =>
  kept.processes.map((each) => ({ ...each, ...figures }));

/** Each breaks exactly one promise. */
const BROKEN: ReadonlyArray<readonly [string, Partial<AttackFigures>, RegExp]> = [
  [
    "one post that is refused",
    { posts: during({ ok: 99, others: { 503: 1 } }) },
    /posts during: 1 of 100 .*503 × 1/,
  ],
  [
    "one summary that is refused",
    { reads: during({ ok: 99, others: { timeout: 1 } }) },
    /summaries during: 1 of 100/,
  ],
  ["slow posts", { posts: during({ p95Ms: 501 }) }, /posts: p95 501 ms, more than 500 ms/],
  ["slow summaries", { reads: during({ p95Ms: 501 }) }, /summaries: p95 501 ms/],
  [
    "one failed readiness probe",
    { readyz: during({ ok: 99, others: { 503: 1 } }) },
    /\/readyz during/,
  ],
  ["one slow health check", { healthz: during({ maxMs: 251 }) }, /\/healthz: slowest 251 ms/],
  [
    "health checks without an answer",
    { healthz: during({ ok: 0, others: { ECONNRESET: 100 } }) },
    /\/healthz during: 100 of 100/,
  ],
  [
    "a revoked key that is accepted for too long",
    { revokedAfterMs: 5_001 },
    /refused after 5001 ms/,
  ],
  ["a revoked key that is never refused", { revokedAfterMs: undefined }, /never refused/],
  ["too much memory", { processes: process({ residentMib: 513 }) }, /api used 513 MiB/],
  [
    "a process that died",
    { processes: process({ died: "ended by itself (SIGABRT)" }) },
    /api ended by itself/,
  ],
  ["an account with wrong counts", { miscounted: ["a counts 1"] }, /a counts 1/],
  [
    "posts that stay slow after the attack",
    { posts: { ...calm, after: { ...quick, p95Ms: 111 } } },
    /posts: p95 111 ms one second after the attack/,
  ],
  [
    "a summary that is refused after the attack",
    { reads: { ...calm, after: { ...quick, ok: 99, others: { 503: 1 } } } },
    /summaries after/,
  ],
];

test("an attack without effect breaks no promise", () => {
  assert.equal(judge(kept, PROMISES), []);
});

for (const [what, broken, sentence] of BROKEN) {
  test(`${what} breaks one promise`, () => {
    const failures = judge({ ...kept, ...broken }, PROMISES);
    assert.is(failures.length, 1, failures.join("; "));
    assert.match(failures[0] ?? "", sentence);
  });
}

test("figures that were never measured break their promises", () => {
  const nothing: SampleFigures = {
    sent: 0,
    ok: 0,
    p50Ms: Number.NaN,
    p95Ms: Number.NaN,
    maxMs: 0,
    others: {},
  };
  const failures = judge(
    { ...kept, posts: { before: quick, during: nothing, after: nothing } },
    PROMISES,
  );
  assert.ok(failures.some((failure) => failure.startsWith("posts during")));
  assert.ok(failures.some((failure) => failure.startsWith("posts: p95 NaN ms, more than")));
  assert.ok(failures.some((failure) => failure.includes("one second after")));
});

test("if posts are slow before the attack, times are not judged, but answers and memory are", () => {
  const slow = { ...quick, p95Ms: 300, maxMs: 900 };
  const posts: Phases = { before: slow, during: { ...slow, p95Ms: 2_000 }, after: slow };
  const busy = { ...kept, posts };
  assert.equal(tooBusy(busy, PROMISES), ["posts: p95 300 ms before the attack"]);
  assert.equal(judge(busy, PROMISES), []);
  const refused = { ...busy, reads: during({ ok: 99, others: { 503: 1 } }) };
  assert.is(judge(refused, PROMISES).length, 1);
  assert.is(judge({ ...busy, processes: process({ residentMib: 513 }) }, PROMISES).length, 1);
});

test("a quiet machine is not too busy", () => {
  assert.equal(tooBusy(kept, PROMISES), []);
});

test("a slower machine may take longer, but not answer differently or use more memory", () => {
  const promises = slower(PROMISES, 2);
  assert.equal(
    judge({ ...kept, posts: during({ p95Ms: 999 }), revokedAfterMs: 9_999 }, promises),
    [],
  );
  for (const broken of [
    { posts: during({ ok: 99, others: { 503: 1 } }) },
    { processes: process({ residentMib: 513 }) },
    { miscounted: ["a counts 1"] },
  ]) {
    assert.is(judge({ ...kept, ...broken }, promises).length, 1);
  }
});

test.run();
