import { Cause, Context, Effect, Logger } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Queue } from "../core/queue/queue.ts";
import { makeMemoryServices } from "../scripts/test/memory_services.ts";
import { statusOf } from "./api_client.fixture.ts";
import { readConfiguration } from "./configuration.ts";
import { openHttp } from "./http.ts";

const test = suite("openHttp");

const configuration = readConfiguration({ PORT: "0" });

test("it listens at once, opens the API when told, and closes with its scope", async () => {
  const { services } = makeMemoryServices();
  const url = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const http = yield* openHttp(configuration);
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
    const http = yield* openHttp(configuration);
    http.serve(broken);
    return yield* Effect.promise(() => statusOf(http.url, "/jobs/1"));
  });
  const provided = Effect.provide(Effect.scoped(asked), Logger.layer([logger]));
  assert.is(await Effect.runPromise(provided), 500);
  assert.is(lines.length, 1);
  assert.match(String(lines[0]?.message), "A request failed");
  assert.match(lines[0]?.cause ?? "", "the disk is on fire");
});

test.run();
