import { Cause, Context, Effect, Layer, Logger, References } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ANYONE } from "../core/access/principal.ts";
import { Queue } from "../core/queue/queue.ts";
import { makeMemoryServices } from "../scripts/test/memory_services.ts";
import { statusOf } from "./api_client.fixture.ts";
import { readConfiguration } from "./configuration.ts";
import { openHttp } from "./http.ts";
import { makeMeters } from "./metrics/meters.ts";

const test = suite("openHttp");

const configuration = readConfiguration({ PORT: "0" });

test("it listens at once, opens the API when told, and closes with its scope", async () => {
  const { services } = makeMemoryServices();
  const url = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const http = yield* openHttp(configuration, makeMeters());
        const status = (path: string) => Effect.promise(() => statusOf(http.url, path));
        assert.is(yield* status("/healthz"), 200);
        assert.is(yield* status("/readyz"), 503);
        assert.is(yield* status("/accounts/sample"), 503);
        http.serve(services);
        assert.is(yield* status("/accounts/sample"), 200);
        return http.url;
      }),
    ),
  );
  assert.is(await statusOf(url, "/healthz"), undefined);
});

/** Statuses of as many requests from an address that a proxy tells. */
const askOften = (
  environment: Readonly<Record<string, string>>,
  from: string,
  times: number,
): Promise<ReadonlyArray<number>> => {
  const { services } = makeMemoryServices();
  const asked = Effect.gen(function* () {
    const http = yield* openHttp(
      readConfiguration({ PORT: "0", AUTH: "required", TRUST_PROXY: "1", ...environment }),
      makeMeters(),
    );
    const principal = { ...ANYONE };
    const access = {
      known: () => principal,
      remembers: () => false,
      authenticate: () => Effect.succeed(principal),
    };
    http.serve(services, { access, shared: undefined });
    return yield* Effect.promise(async () => {
      const statuses: number[] = [];
      for (let i = 0; i < times; i++) {
        const headers = { "X-Forwarded-For": from };
        const answer = await fetch(`${http.url}/accounts/acme/summary`, { headers });
        await answer.body?.cancel();
        statuses.push(answer.status);
      }
      return statuses;
    });
  });
  return Effect.runPromise(Effect.scoped(asked));
};

for (const [limit, environment] of [
  [500, {}],
  [1, { RATE_LIMIT_ANONYMOUS: "1" }],
  [7, { RATE_LIMIT_ANONYMOUS: "7" }],
] as const) {
  test(`${limit} requests a minute pass without a key, and not one more: ${JSON.stringify(environment)}`, async () => {
    const statuses = await askOften(environment, "192.0.2.1", limit + 1);
    assert.equal(statuses.slice(0, limit), Array(limit).fill(200));
    assert.is(statuses[limit], 429);
  });
}

test("who says to be of this machine, through a proxy, is counted like anybody", async () => {
  assert.equal(await askOften({ RATE_LIMIT_ANONYMOUS: "1" }, "127.0.0.1", 2), [200, 429]);
  assert.is((await askOften({}, "::1", 501)).at(-1), 429);
});

test("a defect behind a request is logged where the service logs, with its cause", async () => {
  const lines: Array<{ readonly message: unknown; readonly cause: string }> = [];
  const logger = Logger.make(({ message, cause }) => {
    lines.push({ message, cause: Cause.pretty(cause) });
  });
  const { services } = makeMemoryServices();
  const broken = Context.add(services, Queue, {
    ...Context.get(services, Queue),
    find: () => Effect.die(new Error("the disk is on fire")),
  });
  const asked = Effect.gen(function* () {
    const http = yield* openHttp(configuration, makeMeters());
    http.serve(broken);
    return yield* Effect.promise(() => statusOf(http.url, "/jobs/1"));
  });
  const provided = Effect.provide(Effect.scoped(asked), Logger.layer([logger]));
  assert.is(await Effect.runPromise(provided), 500);
  assert.is(lines.length, 1);
  assert.match(String(lines[0]?.message), "A request failed");
  assert.match(lines[0]?.cause ?? "", "the disk is on fire");
});

test("what is logged about a request names it as its answer does, on the way and when it fails", async () => {
  const named: unknown[] = [];
  const logger = Logger.make(({ fiber }) => {
    named.push(fiber.getRef(References.CurrentLogAnnotations)["request_id"]);
  });
  const { services } = makeMemoryServices();
  const broken = Context.add(services, Queue, {
    ...Context.get(services, Queue),
    find: () => Effect.andThen(Effect.logWarning("odd"), Effect.die(new Error("on fire"))),
  });
  const asked = Effect.gen(function* () {
    const http = yield* openHttp({ ...configuration, LOG_LEVEL: "debug" }, makeMeters());
    http.serve(Context.merge(yield* Effect.context(), broken));
    const headers = { "X-Request-Id": "mine" };
    return yield* Effect.promise(() => fetch(`${http.url}/jobs/1`, { headers }));
  });
  const logging = Layer.merge(
    Logger.layer([logger]),
    Layer.succeed(References.MinimumLogLevel, "Debug"),
  );
  const answer = await Effect.runPromise(Effect.provide(Effect.scoped(asked), logging));
  assert.is(answer.status, 500);
  assert.is(answer.headers.get("x-request-id"), "mine");
  // The warning, the failure, and that the request is over.
  assert.equal(named, ["mine", "mine", "mine"]);
});

test.run();
