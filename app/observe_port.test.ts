import { Clock, Context, Effect, Layer, Tracer } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFakeLog } from "../core/log/event_log.fixture.ts";
import { EventLog, LogUnavailable } from "../core/log/event_log.ts";
import { makeMeters } from "./metrics/meters.ts";
import { observe, Observers, observePort } from "./observe_port.ts";

const test = suite("observePort");

/** Observers that write down what they learn. */
const makeObservers = (isTraced = false) => {
  const ended: string[] = [];
  let permits = 0;
  return {
    ended,
    permits: () => permits,
    observers: {
      meters: makeMeters(),
      clock: Context.get(Context.empty(), Clock.Clock),
      isTraced,
      faults: {
        watch: (operation: string) => ({
          succeeded: () => void ended.push(`${operation} succeeded`),
          failed: (error: unknown) => void ended.push(`${operation} failed: ${String(error)}`),
        }),
        ongoing: () => [],
      },
      permits: {
        withPermit: <A, E, R>(effect: Effect.Effect<A, E, R>) => {
          permits++;
          return effect;
        },
        waiting: () => 0,
      },
    },
  };
};

interface Port {
  readonly size: number;
  readonly all: Effect.Effect<string, Error>;
  readonly find: (id: number, kind?: string) => Effect.Effect<string, Error>;
}

const port: Port = {
  size: 7,
  all: Effect.succeed("all"),
  find: (id) => (id > 0 ? Effect.succeed(`found ${id}`) : Effect.fail(new Error("missing"))),
};

const run = <A>(effect: Effect.Effect<A, unknown>) => Effect.runPromise(Effect.exit(effect));

test("every call is timed and its outcome observed, and the port behaves as before", async () => {
  const { ended, observers } = makeObservers();
  const seconds: number[] = [];
  const seen: unknown[] = [];
  const observed = observePort(
    port,
    "port",
    {
      size: "a value",
      all: { seconds: (one) => void seconds.push(one) },
      find: {
        seconds: (one) => void seconds.push(one),
        succeeded: (value, ...args) => void seen.push([value, ...args]),
        failed: (error) => void seen.push(error.message),
      },
    },
    observers,
  );
  assert.is(observed.size, 7);
  assert.is(await Effect.runPromise(observed.all), "all");
  assert.is(await Effect.runPromise(observed.all), "all");
  assert.is(await Effect.runPromise(observed.find(1, "x")), "found 1");
  assert.is((await Effect.runPromise(Effect.flip(observed.find(0)))).message, "missing");
  assert.is(seconds.length, 4);
  assert.ok(seconds.every((one) => one >= 0 && one < 10));
  assert.equal(seen, [["found 1", 1, "x"], "missing"]);
  assert.equal(ended, [
    "port.all succeeded",
    "port.all succeeded",
    "port.find succeeded",
    "port.find failed: Error: missing",
  ]);
});

test("what is not measured is watched for faults all the same", async () => {
  const { ended, observers } = makeObservers();
  const observations = { size: "a value", all: "not measured", find: "not measured" } as const;
  const observed = observePort(port, "port", observations, observers);
  await run(observed.find(0));
  assert.equal(ended, ["port.find failed: Error: missing"]);
});

test("a defect and an interruption are timed, and are no outcome", async () => {
  const { ended, observers } = makeObservers();
  let timed = 0;
  const broken = { all: Effect.die("a bug"), never: Effect.never };
  const observations = { seconds: () => void timed++, failed: () => assert.unreachable() };
  const observed = observePort(
    broken,
    "port",
    { all: observations, never: observations },
    observers,
  );
  await run(observed.all);
  await run(Effect.timeout(observed.never, 1));
  assert.is(timed, 2);
  assert.equal(ended, []);
});

test("only operations that need a permit take one", async () => {
  const { observers, permits } = makeObservers();
  const observed = observePort(
    port,
    "port",
    { size: "a value", all: "not measured", find: { needsPermit: true } },
    observers,
  );
  await run(observed.all);
  assert.is(permits(), 0);
  await run(observed.find(1));
  assert.is(permits(), 1);
});

test("a call has a span if the process and the caller are traced", async () => {
  for (const [isTraced, expected] of [
    [true, ["caller", "sql find"]],
    [false, ["caller"]],
  ] as const) {
    const names: string[] = [];
    const tracer = Tracer.make({
      span: (options) => {
        names.push(options.name);
        return new Tracer.NativeSpan(options);
      },
    });
    const observed = observePort(
      port,
      "port",
      { size: "a value", all: "not measured", find: { span: "find" } },
      makeObservers(isTraced).observers,
    );
    await run(observed.find(1));
    const traced = Effect.withSpan(observed.find(1), "caller");
    await run(Effect.provideService(traced, Tracer.Tracer, tracer));
    assert.equal(names, expected);
  }
});

test("an operation without an entry does not compile, and neither does an entry of the wrong kind", () => {
  const { observers } = makeObservers();
  const all = "not measured";
  const wrong: ReadonlyArray<() => unknown> = [
    // @ts-expect-error `find` has no entry.
    () => observePort(port, "port", { size: "a value", all }, observers),
    // @ts-expect-error `find` is an operation.
    () => observePort(port, "port", { size: "a value", all, find: "a value" }, observers),
    // @ts-expect-error `size` is a value.
    () => observePort(port, "port", { size: all, all, find: all }, observers),
  ];
  for (const observed of wrong) assert.throws(observed, /the observation of port\.\w+ fits/);
});

test("a layer's port is observed for everything that needs it", async () => {
  const { ended, observers } = makeObservers();
  const fake = makeFakeLog(1);
  fake.unavailable = () => true;
  const log = Layer.succeed(EventLog, fake.service).pipe(
    observe(EventLog, "log", () => ({
      shards: "a value",
      append: "not measured",
      heads: "not measured",
      read: "not measured",
    })),
    Layer.provide(Layer.succeed(Observers, observers)),
  );
  const append = Effect.flatMap(EventLog, (service) => service.append(0, []));
  const failure = await Effect.runPromise(Effect.flip(Effect.provide(append, log)));
  assert.instance(failure, LogUnavailable);
  assert.is(ended.length, 1);
  assert.match(ended[0] ?? "", /^log\.append failed/);
});

test.run();
