import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { LogUnavailable } from "../../core/log/event_log.ts";
import { inNewTrace, recordSpan } from "../../core/trace.ts";
import { createTestDatabase, type TestDatabase } from "../../scripts/test/database.ts";
import { until } from "../../scripts/test/patience.ts";
import { accept, anEvent, postEvents, statusOf, untilLogins } from "../api_client.fixture.ts";
import { readConfiguration } from "../configuration.ts";
import { killServices, type ServiceProcess, startService } from "../service_process.fixture.ts";
import {
  attributesOf,
  type CollectedSpan,
  type Collector,
  startCollector,
} from "./collector.fixture.ts";
import { Tracing, tracingLayer } from "./tracing.ts";

const test = suite<{ database: TestDatabase }>("tracing");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after.each(async ({ database }) => {
  await database.drop();
});

const start = (
  { database }: { readonly database: TestDatabase },
  collector: Pick<Collector, "url">,
  settings: Readonly<Record<string, string>> = {},
): ServiceProcess =>
  startService({
    DATABASE_URL: database.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    LOG_FORMAT: "json",
    ...settings,
  });

const found = async (
  { spans }: Collector,
  name: string,
  which: (span: CollectedSpan) => boolean = () => true,
): Promise<CollectedSpan> => {
  const one = () => spans.find((span) => span.name === name && which(span));
  await until(async () => one() !== undefined, `no span "${name}" came`);
  return one() as CollectedSpan;
};

const isIn = (trace: string) => (span: CollectedSpan) => span.traceId === trace;
const isChildOf = (span: CollectedSpan, parent: CollectedSpan): void => {
  assert.is(span.traceId, parent.traceId, span.name);
  assert.is(span.parentSpanId, parent.spanId, span.name);
};
const linksTo = (span: CollectedSpan, other: CollectedSpan): void => {
  assert.ok(
    span.links.some(({ traceId, spanId }) => traceId === other.traceId && spanId === other.spanId),
    `${span.name} has no link to ${other.name}, but ${JSON.stringify(span.links)}`,
  );
};

test("a request is one trace through every station, linked to the work done for many requests", async (context) => {
  const collector = await startCollector();
  const service = start(context, collector, {
    OTEL_SERVICE_NAME: "tidemark-test",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test%20run",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc,x-other=1",
  });
  const url = await service.url();
  const jobId = await accept(url, anEvent(), anEvent());
  await untilLogins(url, 2);

  const request = await found(collector, "POST /events");
  assert.is(request.kind, 2);
  assert.is(request.parentSpanId, undefined);
  assert.is(attributesOf(request).get("http.response.status_code"), 202);
  assert.is(attributesOf(request).get("http.route"), "/events");

  const inTrace = isIn(request.traceId);
  const command = await found(collector, "command", inTrace);
  isChildOf(command, request);
  const enqueue = await found(collector, "enqueue", inTrace);
  isChildOf(enqueue, command);
  const [queue, log, projection] = await Promise.all(
    ["queue", "log", "projection"].map((name) => found(collector, name, inTrace)),
  );
  for (const span of [queue, log, projection]) {
    assert.ok(span);
    isChildOf(span, enqueue);
    assert.is(attributesOf(span).get("tidemark.job_id"), jobId);
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), span.name);
  }

  const worker = await found(collector, "worker");
  linksTo(worker, enqueue);
  linksTo(log as CollectedSpan, worker);
  isChildOf(await found(collector, "sql append", isIn(worker.traceId)), worker);
  isChildOf(await found(collector, "acknowledge", isIn(worker.traceId)), worker);

  const { links } = projection as CollectedSpan;
  const step = await found(collector, "projection step", ({ spanId }) =>
    links.some((link) => link.spanId === spanId),
  );
  isChildOf(await found(collector, "sql step", isIn(step.traceId)), step);

  const [resource] = collector.resources;
  assert.is(resource?.get("service.name"), "tidemark-test");
  assert.is(resource?.get("deployment.environment"), "test run");
  assert.ok(collector.requests.every(({ path }) => path === "/v1/traces"));
  assert.is(collector.requests[0]?.headers.authorization, "Bearer abc");
  assert.is(collector.requests[0]?.headers["x-other"], "1");
  assert.is(await service.stop(), 0);
  await collector.close();
});

test("a query is traced down to the database, and a cache hit says so", async (context) => {
  const collector = await startCollector();
  const service = start(context, collector);
  const url = await service.url();
  const path = "/accounts/acme/summary";
  await until(async () => {
    await statusOf(url, path);
    return collector.spans.some((span) => attributesOf(span).get("tidemark.cache.tier") === "lru");
  }, "no answer came out of the memory");
  const named = "GET /accounts/:id/summary";
  const missed = await found(
    collector,
    named,
    (span) => attributesOf(span).get("tidemark.cache.tier") === "miss",
  );
  const query = await found(collector, "query", isIn(missed.traceId));
  isChildOf(query, missed);
  isChildOf(await found(collector, "cache", isIn(missed.traceId)), query);
  const summary = await found(collector, "summary", isIn(missed.traceId));
  isChildOf(await found(collector, "sql summary", isIn(missed.traceId)), summary);
  assert.not.match(JSON.stringify(collector.spans), "acme");
  await service.stop();
  await collector.close();
});

test("the trace of a request's sender continues, and an unsampled one is not recorded", async (context) => {
  const collector = await startCollector();
  const service = start(context, collector, { OTEL_TRACES_SAMPLER_ARG: "0" });
  const url = await service.url();
  const ask = (traceId: string, flags: string): Promise<Response> =>
    fetch(`${url}/accounts/sample`, {
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` },
    });
  const unsampled = "0af7651916cd43dd8448eb211c80319c";
  const sampled = "4bf92f3577b34da6a3ce929d0e0e4736";
  await ask(unsampled, "00");
  await fetch(`${url}/accounts/sample`);
  await ask(sampled, "01");
  const request = await found(collector, "GET /accounts/sample");
  assert.is(request.traceId, sampled);
  assert.is(request.parentSpanId, "00f067aa0ba902b7");
  await service.stop();
  // All spans were sent when it ended.
  assert.equal([...new Set(collector.spans.map(({ traceId }) => traceId))], [sampled]);
  await collector.close();
});

test("a failed request is a failed span with its problem", async (context) => {
  const collector = await startCollector();
  const service = start(context, collector, { ROLES: "api" });
  const url = await service.url();
  assert.is((await postEvents(url, [anEvent({ type: "unheard_of" })])).status, 400);
  const refused = await found(collector, "POST /events");
  assert.is(attributesOf(refused).get("tidemark.problem"), "event-invalid");
  assert.is(refused.status.code, 1, "what the client did wrong is no failure of ours");
  await service.stop();
  await collector.close();
});

test("a failed span has only the name of the failure, not the database's message", async () => {
  const collector = await startCollector();
  const settings = readConfiguration({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  });
  const cause = new Error("invalid input: somebody's secret");
  const failing = inNewTrace("failing")(Effect.fail(new LogUnavailable({ cause })));
  await Effect.runPromise(Effect.provide(Effect.exit(failing), tracingLayer(settings)));
  const span = await found(collector, "failing");
  assert.is(span.status.code, 2);
  assert.match(JSON.stringify(span), "LogUnavailable");
  assert.not.match(JSON.stringify(span), "secret");
  await collector.close();
});

test("spans for a collector that does not answer are dropped, not buffered", async () => {
  const collector = await startCollector(() => "never");
  const settings = readConfiguration({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const parent = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
  const flood = Effect.gen(function* () {
    const tracing = yield* Tracing;
    assert.ok(tracing);
    for (let i = 0; i < 20_000; i++) {
      recordSpan(tracing.tracer, { name: "one of many", parent, from: 0, to: 1 });
    }
    yield* Effect.promise(() =>
      until(async () => collector.requests.length >= 8, "fewer requests came than may"),
    );
    yield* Effect.sleep("100 millis");
    assert.is(collector.requests.length, 8);
  });
  await Effect.runPromise(Effect.provide(flood, tracingLayer(settings)));
  await collector.close();
});

for (const [what, answers] of [
  ["is away", undefined],
  ["answers with errors", () => 500],
  ["does not answer", () => "never" as const],
] as const) {
  test(`a collector that ${what} costs nothing but the traces`, async (context) => {
    const collector = await startCollector(answers);
    if (answers === undefined) await collector.close();
    const service = start(context, collector);
    const url = await service.url();
    let sent = 0;
    const deadline = performance.now() + 1_500;
    let slowestMs = 0;
    while (performance.now() < deadline) {
      const since = performance.now();
      await accept(url, ...Array.from({ length: 20 }, () => anEvent()));
      slowestMs = Math.max(slowestMs, performance.now() - since);
      sent += 20;
    }
    await untilLogins(url, sent);
    assert.ok(slowestMs < 2_000, `a request took ${slowestMs} ms`);
    const since = performance.now();
    assert.is(await service.stop(), 0, service.output());
    assert.ok(performance.now() - since < 10_000, "it did not end in time");
    if (answers !== undefined) await collector.close();
  });
}

test.run();
