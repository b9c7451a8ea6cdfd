import { Effect } from "effect";
import type { Context } from "koa";
import { z } from "zod";

import { formatTimestamp } from "../../../core/event/timestamp.ts";
import {
  type AccountTimeseries,
  accountTimeseries,
  POINTS_MAX,
  type TimeseriesQuery,
} from "../../../core/query/account_timeseries.ts";
import { bucketCount, INTERVAL_NAMES } from "../../../core/summary/range.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { NO_STORE, READ_FAILURES } from "../openapi/operation.ts";
import {
  FROM_EXAMPLE,
  instantParameter,
  pathParameter,
  readQuery,
  refuseParameter,
  TO_EXAMPLE,
  typeParameter,
} from "../request/parameters.ts";
import { uncached } from "../response/reply.ts";
import { HOUR_MS } from "./example.ts";
import { ACCOUNT_PARAMETER, asOf, identifier, instant, totals } from "./fields.ts";
import { type ApiParts, respondWith, type Route } from "./route.ts";

const PARAMETERS = z.strictObject({
  interval: z
    .enum(INTERVAL_NAMES, `must be one of ${INTERVAL_NAMES.join(", ")}`)
    .default("hour")
    .meta({
      description: "Length of a bucket. Buckets start on the hour or at midnight, UTC.",
      example: "hour",
    }),
  from: instantParameter.meta({
    description:
      "Only events at or after this instant. Requires `to`. Without both: the last 24 hours, or the last 30 days by day.",
    example: FROM_EXAMPLE,
  }),
  to: instantParameter.meta({
    description: `Only events before this instant, at most ${POINTS_MAX} points after \`from\`. Requires \`from\`.`,
    example: TO_EXAMPLE,
  }),
  type: typeParameter.meta({ description: "Only events of this type.", example: "login" }),
});

const QUERY = PARAMETERS.transform(
  ({ interval, from, to, type = null }, context): TimeseriesQuery => {
    if (from === undefined && to === undefined) return { interval, range: undefined, type };
    if (from === undefined) return refuseParameter(context, "from", "is missing beside to");
    if (to === undefined) return refuseParameter(context, "to", "is missing beside from");
    if (from >= to) return refuseParameter(context, "to", "must be after from");
    const range = { from, to };
    const points = bucketCount(range, interval);
    if (points > POINTS_MAX) {
      return refuseParameter(
        context,
        "to",
        `must be close enough to from for at most ${POINTS_MAX} points by ${interval}, not ${points}`,
      );
    }
    return { interval, range, type };
  },
);

const Timeseries = z.object({
  account_id: identifier,
  interval: z.enum(INTERVAL_NAMES),
  points: z.array(z.object({ start: instant, totals })).meta({
    description:
      "Every bucket of the range, with a zero for each type that occurs in another bucket or was requested. The first and the last bucket are partial unless the range ends with them.",
  }),
  from: instant,
  to: instant,
  as_of: asOf,
});

const timeseriesBody = (timeseries: AccountTimeseries): z.input<typeof Timeseries> => ({
  account_id: timeseries.accountId,
  interval: timeseries.interval,
  points: timeseries.points.map((point) => ({
    start: formatTimestamp(point.start),
    totals: Object.fromEntries(point.totals),
  })),
  from: formatTimestamp(timeseries.range.from),
  to: formatTimestamp(timeseries.range.to),
  as_of: formatTimestamp(timeseries.asOf),
});

/** Counts the events of an account by hour or day. */
export const getTimeseries: Route<ApiParts> = {
  method: "get",
  path: "/accounts/{id}/timeseries",
  access: { scopes: ["read"], accounts: "path" },
  schemas: { Timeseries },

  operation: (example) => {
    const hour = example.now - (example.now % HOUR_MS);
    return {
      operationId: "accountTimeseries",
      tag: "Accounts",
      summary: "Count by hour or day",
      description:
        "Counts events by type for each hour or day, in UTC. The points add up to the summary of the same range. Give both " +
        "`from` and `to`, or neither.",
      pathParameters: ACCOUNT_PARAMETER,
      query: PARAMETERS,
      answers: {
        200: {
          description: "The time series.",
          headers: NO_STORE,
          content: {
            schema: schemaRef("Timeseries"),
            example: timeseriesBody({
              accountId: "acme",
              interval: "hour",
              range: { from: hour - HOUR_MS, to: hour + HOUR_MS },
              points: [
                {
                  start: hour - HOUR_MS,
                  totals: new Map(Array.from(example.counts.keys(), (type) => [type, 0])),
                },
                { start: hour, totals: example.counts },
              ],
              asOf: example.asOf,
            }),
          },
        },
      },
      failures: ["TimeseriesTooLarge", ...READ_FAILURES, "SummariesUnavailable"],
    };
  },

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const query = yield* Effect.fromResult(readQuery(QUERY, ctx.querystring));
      return uncached(timeseriesBody(yield* accountTimeseries(pathParameter(ctx, "id"), query)));
    }),
  ),
};
