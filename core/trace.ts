import { Context, Effect, Exit, Option, Tracer } from "effect";

/** Identifies a span, so that another process can continue its trace. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/**
 * Decides whether a new trace is sampled. By default none is, and then no span is ever created, because every span is
 * either the first of a trace or a child of another one.
 */
export const Sampling = Context.Reference<() => boolean>("tidemark/Sampling", {
  defaultValue: () => () => false,
});

export type SpanSettings = Pick<Tracer.SpanOptionsNoTrace, "kind" | "attributes">;

/** Runs an effect in a child span, if its fiber is traced; otherwise runs it unchanged. */
export const inSpan =
  (name: string, settings: SpanSettings = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      fiber.cache.span === undefined ? effect : withSpan(effect, name, settings),
    );

/** Runs an effect in the first span of a new trace, if it is sampled; otherwise runs it unchanged. */
export const inNewTrace =
  (name: string, settings: SpanSettings = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Sampling, (sample) =>
      sample() ? withSpan(effect, name, { ...settings, root: true }) : effect,
    );

/** Stack traces are expensive, and of no use in a trace. */
const NO_STACK = { captureStackTrace: false };

const withSpan = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name: string,
  settings: Tracer.SpanOptionsNoTrace,
): Effect.Effect<A, E, R> => Effect.useSpan(name, settings, (span) => inside(span)(effect));

/** Runs an effect inside a span that the caller ends. */
export const inside =
  (span: Tracer.AnySpan) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withParentSpan(effect, span, NO_STACK);

/** The current span, for another process to continue from; undefined if the fiber is not traced. */
export const currentTrace: Effect.Effect<TraceContext | undefined> = Effect.withFiberSucceed(
  (fiber) => traceOf(fiber.cache.span),
);

const traceOf = (span: Tracer.AnySpan | undefined): TraceContext | undefined =>
  span && { traceId: span.traceId, spanId: span.spanId };

/** The span of a context, to use as a parent or as the target of a link. */
const spanOf = ({ traceId, spanId }: TraceContext): Tracer.ExternalSpan =>
  Tracer.externalSpan({ traceId, spanId, sampled: true });

export const linkTo = (trace: TraceContext): Tracer.SpanLink => ({
  span: spanOf(trace),
  attributes: {},
});

/** A span to record after the fact: a wait, or one job's part of work that was done for many. */
export interface Past {
  readonly name: string;
  readonly parent: TraceContext;
  readonly links?: ReadonlyArray<TraceContext>;
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  readonly to: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Records a span that has already ended. */
export const recordSpan = (tracer: Tracer.Tracer, past: Past): void => {
  const { name, parent, links = [], from, to, attributes = {} } = past;
  const span = tracer.span({
    name,
    parent: Option.some(spanOf(parent)),
    annotations: Context.empty(),
    links: links.map(linkTo),
    startTime: nanoseconds(from),
    kind: "internal",
    root: false,
    sampled: true,
  });
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value);
  span.end(nanoseconds(Math.max(from, to)), Exit.void);
};

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1_000)) * 1_000n;
