import { Cause, Effect, Layer, Schedule } from "effect";
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  type HttpClientResponse,
} from "effect/http";

/** How long the collector may take to answer. */
const ANSWER_TIMEOUT = "5 seconds";

/** How long after a failure an export is tried once more. */
const AGAIN = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 }));

/** The most exports under way at once, of a thousand spans each: this bounds what a slow collector costs. */
const EXPORTS_MAX = 8;

/** The type says that it may fail, as the exporter expects; here it does not. */
type Sent = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>;

/**
 * The client that spans are sent with. Whatever the collector does, the service must not feel it: an export
 * that fails twice, or finds too many others under way, ends as a defect. Effect's exporter then throws away what
 * it has, makes nothing of spans for a minute, and begins anew.
 */
export const collectorClient: Layer.Layer<HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient);
    let underWay = 0;
    let away = false;

    const tellAway = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
      if (away) return Effect.void;
      away = true;
      return Effect.annotateLogs(
        Effect.logWarning("Traces cannot be exported: for a while there are none"),
        { reason: String(Cause.squash(cause)) },
      );
    };
    const tellBack = Effect.suspend(() => {
      if (!away) return Effect.void;
      away = false;
      return Effect.logInfo("Traces are exported again");
    });

    return HttpClient.transformResponse(client, (send): Sent =>
      Effect.suspend(() => {
        if (underWay >= EXPORTS_MAX) return Effect.die(new Error("too many exports are under way"));
        underWay++;
        const once = Effect.timeoutOrElse(send, {
          duration: ANSWER_TIMEOUT,
          orElse: () => Effect.die(new Error(`no answer within ${ANSWER_TIMEOUT}`)),
        });
        return Effect.retry(once, AGAIN).pipe(
          Effect.tap(() => tellBack),
          Effect.orDie,
          Effect.ensuring(Effect.sync(() => underWay--)),
        );
      }).pipe(Effect.tapCause(tellAway)),
    );
  }),
).pipe(Layer.provide(FetchHttpClient.layer));
