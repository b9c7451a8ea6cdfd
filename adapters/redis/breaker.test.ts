import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../scripts/test/patience.ts";
import { type Breaker, type CallKind, makeBreaker } from "./breaker.ts";

interface Context {
  breaker: Breaker;
  /** What the breaker protects; `error` is the message that calls and probes fail with, if any. */
  dependency: { error: string | undefined; calls: number; probes: number };
  reported: string[];
}

const test = suite<Context>("circuit breaker");

test.before.each((context) => {
  const dependency: Context["dependency"] = { error: undefined, calls: 0, probes: 0 };
  const reported: string[] = [];
  const breaker = makeBreaker({
    probe: async () => {
      dependency.probes++;
      if (dependency.error !== undefined) throw new Error(dependency.error);
    },
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => reported.push(state),
    backoffMinMs: 10,
    backoffMaxMs: 40,
  });
  Object.assign(context, { breaker, dependency, reported });
});
test.after.each(({ breaker }) => {
  breaker.stop();
});

const call = ({ breaker, dependency }: Context): Promise<string | undefined> =>
  breaker.call("read", async () => {
    dependency.calls++;
    if (dependency.error !== undefined) throw new Error(dependency.error);
    return "answer";
  });

test("a new breaker is open until a probe succeeds", async (context) => {
  assert.is(await call(context), undefined);
  assert.is(context.breaker.state(), "unavailable: connecting");
  assert.is(context.dependency.calls, 0);
  context.breaker.probe();
  await until(() => context.breaker.state() === "ok");
  assert.is(await call(context), "answer");
  assert.equal(context.reported, ["ok"]);
});

test("the first failed call opens it, and no other is made until a probe succeeds", async (context) => {
  const { breaker, dependency, reported } = context;
  await until(() => breaker.state() === "ok");
  dependency.error = "gone";
  assert.is(await call(context), undefined);
  assert.is(breaker.state(), "unavailable: gone");
  for (let i = 0; i < 100; i++) assert.is(await call(context), undefined);
  assert.is(dependency.calls, 1);
  dependency.error = "still gone";
  const { probes } = dependency;
  await until(() => dependency.probes >= probes + 3);
  assert.is(breaker.state(), "unavailable: still gone");
  dependency.error = undefined;
  await until(() => breaker.state() === "ok");
  assert.is(await call(context), "answer");
  assert.equal(reported, ["ok", "unavailable: gone", "ok"]);
});

test("a failure and a recovery are noticed without calls", async () => {
  let isDown = false;
  const reported: string[] = [];
  const breaker = makeBreaker({
    probe: async () => {
      if (isDown) throw new Error("gone");
    },
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => reported.push(state),
    backoffMinMs: 1,
    backoffMaxMs: 4,
    probeIntervalMs: 5,
  });
  await until(() => breaker.state() === "ok");
  isDown = true;
  await until(() => breaker.state() === "unavailable: gone");
  isDown = false;
  await until(() => breaker.state() === "ok");
  breaker.stop();
  assert.equal(reported, ["ok", "unavailable: gone", "ok"]);
});

test("calls that fail together are one failure", async (context) => {
  const { breaker, dependency, reported } = context;
  await until(() => breaker.state() === "ok");
  dependency.error = "gone";
  await Promise.all(Array.from({ length: 20 }, () => call(context)));
  const { probes } = dependency;
  await until(() => dependency.probes > probes);
  dependency.error = undefined;
  await until(() => breaker.state() === "ok");
  assert.equal(reported, ["ok", "unavailable: gone", "ok"]);
});

/** Creates a breaker whose probe succeeds while the calls of some kinds are refused. */
const makePartial = (backoffMaxMs: number) => {
  const refused = new Set<CallKind>();
  const reported: string[] = [];
  const made: CallKind[] = [];
  const breaker = makeBreaker({
    probe: async () => {},
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => reported.push(state),
    backoffMinMs: 5,
    backoffMaxMs,
  });
  const attempt = (kind: CallKind) =>
    breaker.call(kind, async () => {
      made.push(kind);
      if (refused.has(kind)) throw new Error(`no right to ${kind}`);
      return kind;
    });
  return { refused, reported, made, breaker, attempt };
};

test("a failure that the probe does not show does not make it flap: the failed call is tried, with backoff", async () => {
  const { refused, reported, made, breaker, attempt } = makePartial(40);
  await until(() => breaker.state() === "ok");
  refused.add("publish");
  const since = performance.now();
  while (performance.now() - since < 400) {
    for (const kind of ["read", "publish", "count"] as const) await attempt(kind);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(reported, ["ok", "unavailable: no right to publish"]);
  const tried = made.filter((kind) => kind === "publish").length;
  // Backoffs of 5, 10, 20 and then 40 ms.
  assert.ok(tried >= 2 && tried <= 15, `${tried} tries`);
  assert.ok(made.length - tried <= 4, "other calls were made while it was open");
  refused.clear();
  await until(async () => {
    await attempt("publish");
    return breaker.state() === "ok";
  });
  assert.is(await attempt("read"), "read");
  assert.equal(reported, ["ok", "unavailable: no right to publish", "ok"]);
  breaker.stop();
});

test("of several calls to a half-open breaker, one is made", async () => {
  const { refused, made, breaker, attempt } = makePartial(10);
  await until(() => breaker.state() === "ok");
  refused.add("charge");
  await attempt("charge");
  made.length = 0;
  await until(async () => {
    await Promise.all(Array.from({ length: 20 }, () => attempt("charge")));
    return made.length > 0;
  });
  assert.is(made.length, 1);
  breaker.stop();
});

test("a breaker whose failed call is not repeated closes after another backoff, and reports that when such a call succeeds", async () => {
  const { refused, reported, breaker, attempt } = makePartial(20);
  const untilClosed = () => until(() => breaker.state() === "ok");
  await untilClosed();
  refused.add("write");
  for (let i = 0; i < 5; i++) {
    await attempt("write");
    await untilClosed();
    assert.is(await attempt("read"), "read");
  }
  assert.equal(reported, ["ok", "unavailable: no right to write"]);
  refused.clear();
  assert.is(await attempt("write"), "write");
  assert.equal(reported, ["ok", "unavailable: no right to write", "ok"]);
  breaker.stop();
});

test("once stopped, it neither calls nor probes", async (context) => {
  const { breaker, dependency } = context;
  await until(() => breaker.state() === "ok");
  breaker.stop();
  const { probes } = dependency;
  assert.is(await call(context), undefined);
  breaker.probe();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal([dependency.calls, dependency.probes], [0, probes]);
});

test.run();
