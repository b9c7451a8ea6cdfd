import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../scripts/test/redis_server.ts";
import { type Breaker, type CallKind, makeBreaker } from "./breaker.ts";

interface Context {
  breaker: Breaker;
  /** What the breaker stands before. */
  dependency: { away: string | undefined; calls: number; probes: number };
  told: string[];
}

const test = suite<Context>("breaker");

test.before.each((context) => {
  const dependency: Context["dependency"] = { away: undefined, calls: 0, probes: 0 };
  const told: string[] = [];
  const breaker = makeBreaker({
    probe: async () => {
      dependency.probes++;
      if (dependency.away !== undefined) throw new Error(dependency.away);
    },
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => told.push(state),
    restMinMs: 10,
    restMaxMs: 40,
  });
  Object.assign(context, { breaker, dependency, told });
});
test.after.each(({ breaker }) => {
  breaker.close();
});

const call = ({ breaker, dependency }: Context): Promise<string | undefined> =>
  breaker.call("read", async () => {
    dependency.calls++;
    if (dependency.away !== undefined) throw new Error(dependency.away);
    return "answer";
  });

test("it is open until a probe has succeeded", async (context) => {
  assert.is(await call(context), undefined);
  assert.is(context.breaker.state(), "away: connecting");
  assert.is(context.dependency.calls, 0);
  context.breaker.probe();
  await until("it closes", () => context.breaker.state() === "ok");
  assert.is(await call(context), "answer");
  assert.equal(context.told, ["ok"]);
});

test("the first call that fails opens it, and no other is made until a probe succeeds", async (context) => {
  const { breaker, dependency, told } = context;
  await until("it closes", () => breaker.state() === "ok");
  dependency.away = "gone";
  assert.is(await call(context), undefined);
  assert.is(breaker.state(), "away: gone");
  for (let i = 0; i < 100; i++) assert.is(await call(context), undefined);
  assert.is(dependency.calls, 1);
  dependency.away = "still gone";
  const { probes } = dependency;
  await until("it probes", () => dependency.probes >= probes + 3);
  assert.is(breaker.state(), "away: still gone");
  dependency.away = undefined;
  await until("it closes", () => breaker.state() === "ok");
  assert.is(await call(context), "answer");
  assert.equal(told, ["ok", "away: gone", "ok"]);
});

test("what goes away while nobody calls it is noticed, and when it is back, too", async () => {
  let away = false;
  const told: string[] = [];
  const breaker = makeBreaker({
    probe: async () => {
      if (away) throw new Error("gone");
    },
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => told.push(state),
    restMinMs: 1,
    restMaxMs: 4,
    idleMs: 5,
  });
  await until("it closes", () => breaker.state() === "ok");
  away = true;
  await until("it opens", () => breaker.state() === "away: gone");
  away = false;
  await until("it closes again", () => breaker.state() === "ok");
  breaker.close();
  assert.equal(told, ["ok", "away: gone", "ok"]);
});

test("many calls that fail at once are one failure", async (context) => {
  const { breaker, dependency, told } = context;
  await until("it closes", () => breaker.state() === "ok");
  dependency.away = "gone";
  await Promise.all(Array.from({ length: 20 }, () => call(context)));
  const { probes } = dependency;
  await until("it probes", () => dependency.probes > probes);
  dependency.away = undefined;
  await until("it closes", () => breaker.state() === "ok");
  assert.equal(told, ["ok", "away: gone", "ok"]);
});

/** A breaker before something whose probe succeeds and of whose calls only some kinds do. */
const makePartial = (restMaxMs: number) => {
  const refused = new Set<CallKind>();
  const told: string[] = [];
  const made: CallKind[] = [];
  const breaker = makeBreaker({
    probe: async () => {},
    reasonOf: (error) => (error as Error).message,
    onChange: (state) => told.push(state),
    restMinMs: 5,
    restMaxMs,
  });
  const attempt = (kind: CallKind) =>
    breaker.call(kind, async () => {
      made.push(kind);
      if (refused.has(kind)) throw new Error(`no right to ${kind}`);
      return kind;
    });
  return { refused, told, made, breaker, attempt };
};

test("what the probe does not show does not make it flap: the call that failed is tried, ever less often", async () => {
  const { refused, told, made, breaker, attempt } = makePartial(40);
  await until("it closes", () => breaker.state() === "ok");
  refused.add("publish");
  const since = performance.now();
  while (performance.now() - since < 400) {
    for (const kind of ["read", "publish", "count"] as const) await attempt(kind);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(told, ["ok", "away: no right to publish"]);
  const tried = made.filter((kind) => kind === "publish").length;
  // Rests of 5, 10, 20 and then 40 ms.
  assert.ok(tried >= 2 && tried <= 15, `${tried} tries`);
  assert.ok(made.length - tried <= 4, "other calls were made while it was open");
  refused.clear();
  await until("it closes", async () => {
    await attempt("publish");
    return breaker.state() === "ok";
  });
  assert.is(await attempt("read"), "read");
  assert.equal(told, ["ok", "away: no right to publish", "ok"]);
  breaker.close();
});

test("of calls that come together while it is half-open one is made", async () => {
  const { refused, made, breaker, attempt } = makePartial(10);
  await until("it closes", () => breaker.state() === "ok");
  refused.add("charge");
  await attempt("charge");
  made.length = 0;
  await until("one is tried", async () => {
    await Promise.all(Array.from({ length: 20 }, () => attempt("charge")));
    return made.length > 0;
  });
  assert.is(made.length, 1);
  breaker.close();
});

test("a breaker whose failed call nobody repeats closes after another rest, and tells so when that call succeeds", async () => {
  const { refused, told, breaker, attempt } = makePartial(20);
  const untilClosed = () => until("it closes", () => breaker.state() === "ok");
  await untilClosed();
  refused.add("write");
  for (let i = 0; i < 5; i++) {
    await attempt("write");
    await untilClosed();
    assert.is(await attempt("read"), "read");
  }
  assert.equal(told, ["ok", "away: no right to write"]);
  refused.clear();
  assert.is(await attempt("write"), "write");
  assert.equal(told, ["ok", "away: no right to write", "ok"]);
  breaker.close();
});

test("when it is closed for good it neither calls nor probes", async (context) => {
  const { breaker, dependency } = context;
  await until("it closes", () => breaker.state() === "ok");
  breaker.close();
  const { probes } = dependency;
  assert.is(await call(context), undefined);
  breaker.probe();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal([dependency.calls, dependency.probes], [0, probes]);
});

test.run();
