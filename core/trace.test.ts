import { Effect, type Tracer } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { keepSpans } from "./trace.fixture.ts";
import { currentTrace, inNewTrace, inSpan, recordSpan, Sampling } from "./trace.ts";

const test = suite("tracing");

const trace = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

const sampled = (yes: boolean) => Effect.provideService(Sampling, () => yes);

test("outside a trace, an effect runs without a span", async () => {
  const { spans, traced } = keepSpans();
  const seen = await Effect.runPromise(inSpan("inner")(currentTrace).pipe(traced));
  assert.is(seen, undefined);
  assert.equal(spans, []);
});

test("inside a trace, a span is a child of the current one", async () => {
  const { spans, traced } = keepSpans();
  const inner = inSpan("inner", { attributes: { a: 1 } })(currentTrace);
  const seen = await Effect.runPromise(inNewTrace("outer")(inner).pipe(sampled(true), traced));
  const [outer, span] = spans;
  assert.equal(
    spans.map(({ name }) => name),
    ["outer", "inner"],
  );
  assert.is(span?.traceId, outer?.traceId);
  assert.is(span?.parent._tag === "Some" && span.parent.value, outer);
  assert.is(span?.attributes.get("a"), 1);
  assert.equal(seen, { traceId: span?.traceId, spanId: span?.spanId });
  assert.ok(spans.every(({ status }) => status._tag === "Ended"));
});

test("a new trace starts only if it is sampled, and by default never", async () => {
  const { spans, traced } = keepSpans();
  const run = inNewTrace("outer")(currentTrace);
  assert.is(await Effect.runPromise(run.pipe(sampled(false), traced)), undefined);
  assert.is(await Effect.runPromise(run.pipe(traced)), undefined);
  assert.equal(spans, []);
});

test("a span can be recorded after the fact, with its times and links", () => {
  const { spans, tracer } = keepSpans();
  const links = [{ ...trace, spanId: "1111111111111111" }];
  recordSpan(tracer, { name: "wait", parent: trace, links, from: 1_000.5, to: 2_000 });
  const [span] = spans;
  assert.is(span?.traceId, trace.traceId);
  assert.equal(
    span?.links.map((link) => link.span.spanId),
    ["1111111111111111"],
  );
  const status = span?.status as Extract<Tracer.SpanStatus, { _tag: "Ended" }>;
  assert.equal([status.startTime, status.endTime], [1_000_500_000n, 2_000_000_000n]);
});

test("a span never ends before it starts, even if clocks disagree", () => {
  const { spans, tracer } = keepSpans();
  recordSpan(tracer, { name: "wait", parent: trace, from: 2_000, to: 1_000 });
  const status = spans[0]?.status as Extract<Tracer.SpanStatus, { _tag: "Ended" }>;
  assert.is(status.endTime, status.startTime);
});

test.run();
