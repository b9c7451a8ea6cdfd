import { setTimeout as delay } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startHonest, type Tenant } from "./honest.ts";
import { judge, type Phases, PROMISES } from "./judge.ts";
import { figuresOf, type Sample } from "./samples.ts";
import { startStub, type StubAnswer } from "./stub.fixture.ts";

const test = suite("startHonest");

const TENANTS: ReadonlyArray<Tenant> = ["a", "b"].map((name) => ({
  name,
  key: `key-${name}`,
  readAccounts: [`${name}-read`],
  accountPrefix: `${name}-`,
}));

/** The figures before an attack. */
const CALM = { sent: 1, ok: 1, p50Ms: 1, p95Ms: 1, maxMs: 1, others: {} };

const RATES = { postsPerSecond: 40, readsPerSecond: 40 };
const MEASURED_MS = 500;

/** What honest clients see of a service with these answers to posts. */
const see = async (answer: (n: number) => StubAnswer) => {
  let posts = 0;
  const authorizations = new Set<string | undefined>();
  const paths = new Set<string | undefined>();
  const stub = await startStub((request) => {
    authorizations.add(request.headers.authorization);
    if (request.method === "POST") return answer(posts++);
    paths.add(request.url);
    return { status: 200 };
  });
  const from = performance.now();
  const honest = startHonest(stub.url, TENANTS, RATES);
  await delay(MEASURED_MS);
  await honest.stop();
  await stub.close();
  const phases = (samples: ReadonlyArray<Sample>, expected: number): Phases => {
    const all = figuresOf(samples, expected, from, Number.POSITIVE_INFINITY);
    return { before: CALM, during: all, after: all };
  };
  const figures = {
    posts: phases(honest.posts, 202),
    reads: phases(honest.reads, 200),
    readyz: phases(honest.reads, 200),
    healthz: {
      ...phases(honest.reads, 200),
      during: { ...phases(honest.reads, 200).during, maxMs: 0 },
    },
    revokedAfterMs: 0,
    processes: [],
    miscounted: [],
  };
  return { figures, sent: honest.sent, paths, authorizations };
};

test("a service that takes 600 ms for a post breaks the promise of posts", async () => {
  const { figures } = await see(() => ({ status: 202, afterMs: 600 }));
  assert.ok(figures.posts.during.p95Ms >= 600);
  assert.ok(
    judge(figures, PROMISES).some((failure) => /^posts: p95 \d+ ms, more than/.test(failure)),
  );
});

test("posts continue while earlier ones are in flight: a slow service does not get fewer", async () => {
  const { figures } = await see(() => ({ status: 202, afterMs: 600 }));
  // All of them were due before the first answer.
  assert.ok(figures.posts.during.sent >= 10, `${figures.posts.during.sent}`);
});

test("a single post that is refused breaks the promise", async () => {
  const { figures, sent } = await see((n) => ({ status: n === 3 ? 503 : 202 }));
  const failures = judge(figures, PROMISES);
  assert.ok(failures.some((failure) => /^posts during: 1 of .*503 × 1/.test(failure)));
  const counts = [...sent.values()];
  assert.is(
    counts.reduce((sum, { unknown }) => sum + unknown, 0),
    1,
  );
  assert.is(
    counts.reduce((sum, { accepted }) => sum + accepted, 0),
    figures.posts.during.sent - 1,
  );
});

test("no summary is requested twice, and each tenant uses its own key", async () => {
  const { figures, paths, authorizations } = await see(() => ({ status: 202 }));
  assert.is(paths.size, figures.reads.during.sent);
  assert.equal(authorizations, new Set(["Bearer key-a", "Bearer key-b"]));
});

test.run();
