import { Effect, Tracer } from "effect";

/** A tracer that records its spans. */
export const keepSpans = () => {
  const spans: Tracer.NativeSpan[] = [];
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options);
      spans.push(span);
      return span;
    },
  });
  return { spans, tracer, traced: Effect.provideService(Tracer.Tracer, tracer) };
};
