import { Cause, Context, Effect, Exit, Layer, Predicate, type Scope, Tracer } from "effect";
import { OtlpSerialization, OtlpTracer } from "effect/observability";

import type { RequestTracing } from "../../adapters/koa/telemetry/trace_requests.ts";
import { Sampling } from "../../core/trace.ts";
import type { Configuration } from "../configuration.ts";
import { VERSION } from "../metrics/version.ts";
import { collectorClient } from "./exporter.ts";

type TracingSettings = Pick<
  Configuration,
  | "OTEL_EXPORTER_OTLP_ENDPOINT"
  | "OTEL_EXPORTER_OTLP_HEADERS"
  | "OTEL_EXPORTER_OTLP_PROTOCOL"
  | "OTEL_SERVICE_NAME"
  | "OTEL_TRACES_SAMPLER_ARG"
>;

/** How often spans are sent. */
const EXPORT_INTERVAL = "2 seconds";

/** How long the last spans may keep a process that ends. */
const SHUTDOWN_TIMEOUT = "2 seconds";

/**
 * Sends spans to an OpenTelemetry collector over HTTP until the scope closes; undefined without one, and then
 * nothing of tracing runs anywhere.
 */
export const openTracing = (
  settings: TracingSettings,
): Effect.Effect<RequestTracing | undefined, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio } = settings;
    if (endpoint === undefined) return undefined;
    const serialization =
      settings.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json"
        ? OtlpSerialization.layerJson
        : OtlpSerialization.layerProtobuf;
    const layer = OtlpTracer.layer({
      url: `${endpoint.replace(/\/$/, "")}/v1/traces`,
      headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
      resource: { serviceName: settings.OTEL_SERVICE_NAME, serviceVersion: VERSION },
      exportInterval: EXPORT_INTERVAL,
      shutdownTimeout: SHUTDOWN_TIMEOUT,
    }).pipe(Layer.provide([serialization, collectorClient]));
    const context = yield* Layer.build(layer);
    return {
      tracer: discreet(Context.get(context, Tracer.Tracer)),
      sample: () => Math.random() < ratio,
    };
  });

/**
 * Leaves of a failure only what it is called: the message of a database may repeat what was sent, and would be
 * told with its stack and its cause.
 */
const discreet = (tracer: Tracer.Tracer): Tracer.Tracer =>
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

/** What makes spans of whatever runs in it. */
export const tracingContext = ({ tracer, sample }: RequestTracing): Context.Context<never> =>
  Context.make(Tracer.Tracer, tracer).pipe(Context.add(Sampling, sample));
