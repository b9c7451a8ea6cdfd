import { Cause, Context, Effect, Exit, Layer, Predicate, Redacted, Tracer } from "effect";
import { OtlpSerialization, OtlpTracer } from "effect/observability";

import type { RequestTracing } from "../../adapters/koa/telemetry/trace_requests.ts";
import { Sampling } from "../../core/trace.ts";
import type { Configuration } from "../configuration.ts";
import { VERSION } from "../metrics/process.ts";
import { collectorClient } from "./exporter.ts";

type TracingSettings = Pick<
  Configuration,
  | "OTEL_EXPORTER_OTLP_ENDPOINT"
  | "OTEL_EXPORTER_OTLP_HEADERS"
  | "OTEL_EXPORTER_OTLP_PROTOCOL"
  | "OTEL_SERVICE_NAME"
  | "OTEL_TRACES_SAMPLER_ARG"
>;

/** How requests are traced; undefined without a collector, and then no span is made anywhere. */
export class Tracing extends Context.Service<Tracing, RequestTracing | undefined>()(
  "tidemark/Tracing",
) {}

/** How often spans are sent. */
const EXPORT_INTERVAL = "2 seconds";

/** How long a process that ends waits for its last spans to be sent. */
const SHUTDOWN_TIMEOUT = "2 seconds";

/** Sends spans to an OpenTelemetry collector over HTTP until the scope closes, if there is one. */
export const tracingLayer = (settings: TracingSettings): Layer.Layer<Tracing> => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio } = settings;
  if (endpoint === undefined) return Layer.succeed(Tracing, undefined);
  const headers = settings.OTEL_EXPORTER_OTLP_HEADERS;
  const exporter = OtlpTracer.layer({
    url: `${endpoint.replace(/\/$/, "")}/v1/traces`,
    headers: headers && Redacted.value(headers),
    resource: { serviceName: settings.OTEL_SERVICE_NAME, serviceVersion: VERSION },
    exportInterval: EXPORT_INTERVAL,
    shutdownTimeout: SHUTDOWN_TIMEOUT,
  }).pipe(
    Layer.provide(
      settings.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json"
        ? OtlpSerialization.layerJson
        : OtlpSerialization.layerProtobuf,
    ),
    Layer.provide(collectorClient),
  );
  const sample = () => Math.random() < ratio;
  return Layer.effectContext(
    Effect.map(Tracer.Tracer, (exporting) => {
      const tracer = withoutDetails(exporting);
      return Context.make(Tracing, { tracer, sample }).pipe(
        Context.add(Tracer.Tracer, tracer),
        Context.add(Sampling, sample),
      );
    }),
  ).pipe(Layer.provide(exporter));
};

/**
 * Records only the name of a failure: the message of a database can repeat what was sent, and would
 * be exported with its stack and cause.
 */
const withoutDetails = (tracer: Tracer.Tracer): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const span = tracer.span(options);
      const end = span.end.bind(span);
      span.end = (at, exit) => {
        const failed = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause);
        end(at, failed ? Exit.fail(nameOf(Cause.squash(exit.cause))) : exit);
      };
      return span;
    },
  });

const nameOf = (failure: unknown): string => {
  if (Predicate.hasProperty(failure, "_tag")) return String(failure._tag);
  return failure instanceof Error ? failure.name : "failure";
};
