import { Cause, Context, Effect, Layer, Logger, Ref, References } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startServer } from "../adapters/koa/server/server.ts";
import { ANYONE } from "../core/access/principal.ts";
import { Projection } from "../core/projection/projection.ts";
import { Queue } from "../core/queue/queue.ts";
import { makeMemoryServices } from "../scripts/test/memory_services.ts";
import { statusOf } from "./api_client.fixture.ts";
import { readConfiguration } from "./configuration.ts";
import { type Api, Http, httpLayer, listenFailed } from "./http.ts";
import { Meters } from "./metrics/meters.ts";
import { CurrentPhase } from "./phase.ts";
import { Tracing } from "./tracing/tracing.ts";

const test = suite("the HTTP listener");

/** Runs a test with a listener that is starting. */
const withListener = <A>(
  environment: Readonly<Record<string, string>>,
  use: Effect.Effect<A, unknown, Http | CurrentPhase>,
  logging: Layer.Layer<never> = Layer.empty,
): Promise<A> => {
  const listener = httpLayer(readConfiguration({ PORT: "0", ...environment })).pipe(
    Layer.provideMerge(
      Layer.mergeAll(CurrentPhase.layer, Meters.layer, Layer.succeed(Tracing, undefined)),
    ),
    Layer.provideMerge(logging),
  );
  return Effect.runPromise(Effect.provide(use, listener));
};

/** Puts stations in memory into operation, some of which may be replaced. */
const serve = Effect.fnUntraced(function* (
  access?: Api["access"],
  replaced: Partial<Queue["Service"]> = {},
) {
  const { services } = makeMemoryServices();
  const { listenerOf } = yield* Http;
  const queue = { ...Context.get(services, Queue), ...replaced };
  const all = Context.merge(yield* Effect.context(), Context.add(services, Queue, queue));
  const projection = Context.get(services, Projection);
  const health = { roles: new Set(["api"] as const), database: async () => "ok" };
  yield* Ref.set(yield* CurrentPhase, {
    _tag: "Running",
    application: {
      listener: listenerOf({ services: all, access }),
      health,
      sources: { pools: {}, projection, queue },
    },
  });
});

const status = (path: string) =>
  Effect.flatMap(Http, ({ url }) => Effect.promise(() => statusOf(url, path)));

test("it listens while the service starts, opens everything together, and closes with its scope", async () => {
  const metrics = Effect.flatMap(Http, ({ url }) =>
    Effect.promise(async () => (await fetch(`${url}/metrics`)).text()),
  );
  const url = await withListener(
    {},
    Effect.gen(function* () {
      assert.is(yield* status("/healthz"), 200);
      assert.is(yield* status("/readyz"), 503);
      assert.is(yield* status("/accounts/sample"), 503);
      assert.match(yield* metrics, /^tidemark_database_up 0$/m);
      yield* serve();
      assert.is(yield* status("/readyz"), 200);
      assert.is(yield* status("/accounts/sample"), 200);
      assert.match(yield* metrics, /^tidemark_database_up 1$/m);
      return (yield* Http).url;
    }),
  );
  assert.is(await statusOf(url, "/healthz"), undefined);
});

/** Statuses of as many requests, from an address that a proxy reports. */
const requestOften = (
  environment: Readonly<Record<string, string>>,
  from: string,
  times: number,
): Promise<ReadonlyArray<number>> => {
  const principal = { ...ANYONE };
  const access = {
    known: () => principal,
    remembers: () => false,
    authenticate: () => Effect.succeed(principal),
  };
  return withListener(
    { AUTH: "required", TRUST_PROXY: "1", ...environment },
    Effect.gen(function* () {
      yield* serve(access);
      const { url } = yield* Http;
      return yield* Effect.promise(async () => {
        const statuses: number[] = [];
        for (let i = 0; i < times; i++) {
          const headers = { "X-Forwarded-For": from };
          const answer = await fetch(`${url}/accounts/acme/summary`, { headers });
          await answer.body?.cancel();
          statuses.push(answer.status);
        }
        return statuses;
      });
    }),
  );
};

for (const [limit, environment] of [
  [500, {}],
  [1, { RATE_LIMIT_ANONYMOUS: "1" }],
  [7, { RATE_LIMIT_ANONYMOUS: "7" }],
] as const) {
  test(`${limit} requests a minute pass without a key, and not one more: ${JSON.stringify(environment)}`, async () => {
    const statuses = await requestOften(environment, "192.0.2.1", limit + 1);
    assert.equal(statuses.slice(0, limit), Array(limit).fill(200));
    assert.is(statuses[limit], 429);
  });
}

test("a client that claims to be on this machine, through a proxy, is counted like any other", async () => {
  assert.equal(await requestOften({ RATE_LIMIT_ANONYMOUS: "1" }, "127.0.0.1", 2), [200, 429]);
  assert.is((await requestOften({}, "::1", 501)).at(-1), 429);
});

test("a defect of a request is logged where the service logs, with its cause", async () => {
  const lines: Array<{ readonly message: unknown; readonly cause: string }> = [];
  const logger = Logger.make(({ message, cause }) => {
    lines.push({ message, cause: Cause.pretty(cause) });
  });
  const find = () => Effect.die(new Error("the disk is on fire"));
  const requested = Effect.andThen(serve(undefined, { find }), status("/jobs/1"));
  assert.is(await withListener({}, requested, Logger.layer([logger])), 500);
  assert.is(lines.length, 1);
  assert.match(String(lines[0]?.message), "A request failed");
  assert.match(lines[0]?.cause ?? "", "the disk is on fire");
});

test("every log line about a request has the id of its answer", async () => {
  const named: unknown[] = [];
  const logger = Logger.make(({ fiber }) => {
    named.push(fiber.getRef(References.CurrentLogAnnotations)["request_id"]);
  });
  const find = () => Effect.andThen(Effect.logWarning("odd"), Effect.die(new Error("on fire")));
  const requested = Effect.gen(function* () {
    yield* serve(undefined, { find });
    const { url } = yield* Http;
    const headers = { "X-Request-Id": "mine" };
    return yield* Effect.promise(() => fetch(`${url}/jobs/1`, { headers }));
  });
  const logging = Layer.merge(
    Logger.layer([logger]),
    Layer.succeed(References.MinimumLogLevel, "Debug"),
  );
  const answer = await withListener({ LOG_LEVEL: "debug" }, requested, logging);
  assert.is(answer.status, 500);
  assert.is(answer.headers.get("x-request-id"), "mine");
  // The warning, the failure, and that the request was answered.
  assert.equal(named, ["mine", "mine", "mine"]);
});

test.run();

const failed = suite("listenFailed");

const messageFor = (code: string): string =>
  listenFailed(Object.assign(new Error(`listen ${code}`), { code }), {
    HOST: "10.0.0.1",
    PORT: 80,
  }).message;

failed("each reason is one line, with the setting that mends it", () => {
  for (const [code, message] of [
    ["EADDRINUSE", /^Another process listens on 10\.0\.0\.1 port 80\..* set PORT /],
    ["EADDRNOTAVAIL", /^HOST=10\.0\.0\.1 is not an address of this machine\.$/],
    ["ENOTFOUND", /^HOST=10\.0\.0\.1 is not an address of this machine\.$/],
    ["EACCES", /^Not allowed to listen on 10\.0\.0\.1 port 80\. Set PORT above 1023\.$/],
    ["EMFILE", /^Cannot listen on 10\.0\.0\.1 port 80: listen EMFILE$/],
  ] as const) {
    assert.match(messageFor(code), message);
  }
});

failed("an address of another machine is recognised as such", async () => {
  // Of a block that is reserved for documentation.
  const settings = { HOST: "192.0.2.1", PORT: 0 };
  const error = await startServer({ host: settings.HOST, port: 0, listener: () => {} }).then(
    () => assert.unreachable("it should have failed"),
    (cause: unknown) => cause,
  );
  assert.is(
    listenFailed(error, settings).message,
    "HOST=192.0.2.1 is not an address of this machine.",
  );
});

failed.run();
