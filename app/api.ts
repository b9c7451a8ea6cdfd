import { Context, Effect, Layer } from "effect";

import type { ApiServices } from "../adapters/koa/routes/route.ts";
import { Admission, makeAdmission } from "../core/command/admission.ts";
import { type Capacity, makeCapacity } from "../core/command/capacity.ts";
import { sampleBacklog, sampleBacklogForever } from "../core/command/sample_backlog.ts";
import { EventRules } from "../core/event/rules.ts";
import { SummaryCache } from "../core/query/summary_cache.ts";
import { openQuotas } from "./access.ts";
import { openSummaryCache } from "./cache.ts";
import type { Configuration } from "./configuration.ts";
import { Meters } from "./metrics/meters.ts";
import { runLoop } from "./phase.ts";

/** What the routes of the API run on; undefined in a process without the api role. */
export class Api extends Context.Service<
  Api,
  | {
      readonly services: Context.Context<ApiServices>;
      readonly capacity: Capacity;
      readonly cache: SummaryCache["Service"];
    }
  | undefined
>()("tidemark/Api") {}

/** The api role: admission, the cache of summaries, and the watch over the backlog. */
export const apiLayer = (configuration: Configuration) =>
  Layer.effect(
    Api,
    Effect.gen(function* () {
      const stations = yield* Effect.context<Exclude<ApiServices, Admission | SummaryCache>>();
      const quotas = yield* openQuotas(configuration);
      const capacity = makeCapacity({
        queuedMax: configuration.QUEUE_DEPTH_MAX,
        laggingMax: configuration.LAG_EVENTS_MAX,
      });
      const cache = yield* openSummaryCache(configuration);
      // Nothing is accepted until the backlog is known, so that it should be known when the first
      // request comes. If it cannot be read, the rest of the service works all the same.
      yield* Effect.ignore(sampleBacklog(capacity));
      const readFailed = (yield* Meters).counter(
        "tidemark_command_load_read_failures_total",
        "Failed or timed-out reads of the backlog of queue and log.",
      )();
      yield* runLoop(sampleBacklogForever(capacity, readFailed));
      const services = stations.pipe(
        Context.add(Admission, makeAdmission({ capacity, quotas })),
        Context.add(SummaryCache, cache),
        Context.add(EventRules, {
          types: configuration.EVENT_TYPES,
          futureMaxMs: configuration.EVENT_FUTURE_MAX_SECONDS * 1_000,
          ageMaxMs: configuration.EVENT_AGE_MAX_DAYS * 86_400_000,
        }),
      );
      return { services, capacity, cache };
    }),
  );
