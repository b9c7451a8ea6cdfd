import { Context, Effect, Exit, Option, Tracer } from "effect";

/** Names a span, so that its trace can go on where the fiber does not go: in another process. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/**
 * Decides whether a trace begins here. Never, unless tracing is on: then no span is made anywhere, for each
 * is either the first of a trace or inside of another one.
 */
export const Sampling = Context.Reference<() => boolean>("tidemark/Sampling", {
  defaultValue: () => () => false,
});

export type SpanSettings = Pick<Tracer.SpanOptionsNoTrace, "kind" | "attributes">;

/** Runs an effect inside of a span, if what runs it is traced, and else as it is. */
export const inSpan =
  (name: string, settings: SpanSettings = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      fiber.cache.span === undefined ? effect : withSpan(effect, name, settings),
    );

/** Runs an effect inside of the first span of a new trace, if it is to be sampled, and else as it is. */
export const inNewTrace =
  (name: string, settings: SpanSettings = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Sampling, (sample) =>
      sample() ? withSpan(effect, name, { ...settings, root: true }) : effect,
    );

/** Where a stack of the program stands is of no use to who reads a trace, and costs. */
const NO_STACK = { captureStackTrace: false };

const withSpan = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name: string,
  settings: Tracer.SpanOptionsNoTrace,
): Effect.Effect<A, E, R> => Effect.useSpan(name, settings, (span) => inside(span)(effect));

/** Runs an effect inside of a span that somebody else ends. */
export const inside =
  (span: Tracer.AnySpan) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withParentSpan(effect, span, NO_STACK);

/** The span that this runs in, for others to go on from; undefined when it is not traced. */
export const currentTrace: Effect.Effect<TraceContext | undefined> = Effect.withFiberSucceed(
  (fiber) => traceOf(fiber.cache.span),
);

const traceOf = (span: Tracer.AnySpan | undefined): TraceContext | undefined =>
  span && { traceId: span.traceId, spanId: span.spanId };

/** The span of a context, as the parent or the target of a link. */
const spanOf = ({ traceId, spanId }: TraceContext): Tracer.ExternalSpan =>
  Tracer.externalSpan({ traceId, spanId, sampled: true });

export const linkTo = (trace: TraceContext): Tracer.SpanLink => ({
  span: spanOf(trace),
  attributes: {},
});

/** Something that is over, and was not run inside of its span: a wait, or a part of what was done for many. */
export interface Past {
  readonly name: string;
  readonly parent: TraceContext;
  readonly links?: ReadonlyArray<TraceContext>;
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  readonly to: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Adds a span for something that is over. */
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
