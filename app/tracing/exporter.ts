import { Cause, Effect, Layer, Schedule } from "effect";
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  type HttpClientResponse,
} from "effect/http";

import { makeTransitions } from "../../core/report_faults.ts";

/** How long the collector may take to answer. */
const ANSWER_TIMEOUT = "5 seconds";

/** A failed export is retried once. */
const RETRY = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 }));

/**
 * The most exports in flight, of a thousand spans each: this bounds what a slow collector costs.
 */
const EXPORTS_MAX = 8;

/** The exporter expects a client that can fail. This one does not. */
type Sent = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>;

/**
 * The client that sends spans. The collector must not affect the service: an export that fails
 * twice, or starts while too many are in flight, ends as a defect. Effect's exporter then drops its
 * spans, ignores new ones for a minute, and starts again.
 */
export const collectorClient: Layer.Layer<HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient);
    let inFlight = 0;
    const exporting = makeTransitions<"working" | "failing">("working");
    const reportWorking = exporting.to("working", Effect.logInfo("Traces are exported again"));
    const reportFailed = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
      exporting.to(
        "failing",
        Effect.annotateLogs(
          Effect.logWarning("Traces cannot be exported; dropping them for a minute"),
          { reason: String(Cause.squash(cause)) },
        ),
      );

    return HttpClient.transformResponse(client, (send): Sent =>
      Effect.suspend(() => {
        if (inFlight >= EXPORTS_MAX) return Effect.die(new Error("too many exports are in flight"));
        inFlight++;
        const once = Effect.timeoutOrElse(send, {
          duration: ANSWER_TIMEOUT,
          orElse: () => Effect.die(new Error(`no answer within ${ANSWER_TIMEOUT}`)),
        });
        return Effect.retry(once, RETRY).pipe(
          Effect.tap(() => reportWorking),
          Effect.orDie,
          Effect.ensuring(Effect.sync(() => inFlight--)),
        );
      }).pipe(Effect.tapCause(reportFailed)),
    );
  }),
).pipe(Layer.provide(FetchHttpClient.layer));
