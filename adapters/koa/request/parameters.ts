import { Result } from "effect";
import { z } from "zod";

import { ISSUES_MAX } from "../../../core/command/decode_batch.ts";
import type { Issue } from "../../../core/event/decode.ts";
import { accountIdProblem } from "../../../core/event/identifier.ts";
import { parseTimestamp } from "../../../core/event/timestamp.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/types.ts";
import { POINTS_MAX, type TimeseriesQuery } from "../../../core/query/account_timeseries.ts";
import {
  type EventsCursor,
  type EventsFilter,
  PAGE_EVENTS_DEFAULT,
  PAGE_EVENTS_MAX,
} from "../../../core/query/list_events.ts";
import {
  type Period,
  TOP_USERS_DEFAULT,
  TOP_USERS_MAX,
} from "../../../core/query/summarise_account.ts";
import { bucketCount, INTERVAL_NAMES } from "../../../core/summary/bucket.ts";
import { RANGE_DAYS_MAX, RANGE_MS_MAX, WINDOW_NAMES } from "../../../core/summary/window.ts";
import type { RequestFault } from "../response/problem.ts";
import { readCursor } from "../routes/events_cursor.ts";

/** How many accounts a sample names unless asked, and at most. */
const SAMPLE_DEFAULT = 10;
const SAMPLE_MAX = 100;

const positiveInteger = z
  .string()
  .regex(/^[1-9][0-9]*$/, "must be a positive integer")
  .transform(Number);

/** What the OpenAPI document says of a positive integer, which arrives as text. */
const INTEGER = { type: "integer", minimum: 1 } as const;

const positiveIntegerUpTo = (max: number) =>
  positiveInteger.pipe(z.number().max(max, `must be at most ${max}`).meta(INTEGER));

// An offset can move the last hours of the year 9999 into the next, which ISO 8601 writes in a way of
// its own.
const TIMESTAMP_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const timestamp = z
  .string()
  .transform((text, context) => {
    // An unescaped + reaches us as a space.
    const ms = parseTimestamp(text.replace(" ", "+"));
    if (ms !== undefined && ms <= TIMESTAMP_MAX) return ms;
    context.addIssue("must be an ISO 8601 timestamp with an offset, such as 2026-01-31T00:00:00Z");
    return z.NEVER;
  })
  .meta({ type: "string", format: "date-time" });

/** What the OpenAPI document shows: the hours of its example events. */
const FROM_EXAMPLE = "2026-11-22T07:00:00Z";
const TO_EXAMPLE = "2026-11-22T09:00:00Z";

const instantParameter = timestamp.optional();

const typeParameter = z
  .string()
  .regex(EVENT_TYPE_PATTERN, `must match ${EVENT_TYPE_PATTERN.source}`)
  .optional();

const BESIDE_CURSOR = "Beside a `cursor` it may be left out, and must not be another than its own.";

/** How many dead letters are listed unless asked, and at most. */
const DEAD_LETTERS_DEFAULT = 100;
const DEAD_LETTERS_MAX = 1_000;

/** The query parameters of each route that has any, by themselves: what they mean together is below. */
export const QUERY_PARAMETERS = {
  sample: z.strictObject({
    limit: positiveInteger
      .transform((limit) => Math.min(limit, SAMPLE_MAX))
      .meta(INTEGER)
      .default(SAMPLE_DEFAULT)
      .meta({
        description: `How many accounts; over ${SAMPLE_MAX} means ${SAMPLE_MAX}.`,
        example: 10,
      }),
  }),

  summary: z.strictObject({
    window: z
      .enum(WINDOW_NAMES, `must be one of ${WINDOW_NAMES.join(", ")}`)
      .optional()
      .meta({
        description:
          "A range that ends now, to the millisecond: `last_24h` unless asked. Not together with `from` and `to`.",
        example: "last_24h",
      }),
    // Without an example: it could not be sent together with the one of window.
    from: instantParameter.meta({
      description: `Events at or after this instant, such as ${FROM_EXAMPLE}. Needs \`to\`; not together with \`window\`.`,
    }),
    to: instantParameter.meta({
      description:
        `Events before this instant, at most ${RANGE_DAYS_MAX} days after \`from\`, such as ${TO_EXAMPLE}. ` +
        "Needs `from`; not together with `window`.",
    }),
    top: positiveIntegerUpTo(TOP_USERS_MAX)
      .default(TOP_USERS_DEFAULT)
      .meta({ description: "How many users are named.", example: 10 }),
  }),

  timeseries: z.strictObject({
    interval: z
      .enum(INTERVAL_NAMES, `must be one of ${INTERVAL_NAMES.join(", ")}`)
      .default("hour")
      .meta({
        description: "How long a bucket is. Buckets begin on the full hour or at midnight, UTC.",
        example: "hour",
      }),
    from: instantParameter.meta({
      description:
        "Events at or after this instant. Needs `to`; without both, the last 24 hours, or the last 30 days by day.",
      example: FROM_EXAMPLE,
    }),
    to: instantParameter.meta({
      description: `Events before this instant, at most ${POINTS_MAX} points after \`from\`, which it needs.`,
      example: TO_EXAMPLE,
    }),
    type: typeParameter.meta({ description: "Only events of this type.", example: "login" }),
  }),

  events: z.strictObject({
    limit: positiveIntegerUpTo(PAGE_EVENTS_MAX)
      .default(PAGE_EVENTS_DEFAULT)
      .meta({ description: "The most events of the page.", example: 100 }),
    // Without an example: those of the range and the type are of another list.
    cursor: z
      .string()
      .optional()
      .meta({
        description:
          "The `next_cursor` of an earlier answer: the page behind that one. It holds the list's `from`, `to` and `type`: " +
          "beside it they may be left out or repeated, but not changed.",
      }),
    from: instantParameter.meta({
      description: `Events at or after this instant. ${BESIDE_CURSOR}`,
      example: FROM_EXAMPLE,
    }),
    to: instantParameter.meta({
      description: `Events before this instant. ${BESIDE_CURSOR}`,
      example: TO_EXAMPLE,
    }),
    type: typeParameter.meta({
      description: `Only events of this type. ${BESIDE_CURSOR}`,
      example: "login",
    }),
  }),

  deadLetters: z.strictObject({
    limit: positiveIntegerUpTo(DEAD_LETTERS_MAX)
      .default(DEAD_LETTERS_DEFAULT)
      .meta({ description: "The most that are listed.", example: 100 }),
  }),
};

const summaryParameters = QUERY_PARAMETERS.summary.transform(
  ({ window, from, to, top }, context): { period: Period; top: number } => {
    const refuse = (path: string, message: string): never => {
      context.addIssue({ code: "custom", path: [path], message });
      return z.NEVER;
    };
    if (from === undefined && to === undefined) return { period: window ?? "last_24h", top };
    if (window !== undefined)
      return refuse("window", "must not be given together with from and to");
    if (from === undefined) return refuse("from", "is missing beside to");
    if (to === undefined) return refuse("to", "is missing beside from");
    if (from >= to) return refuse("to", "must be after from");
    if (to - from > RANGE_MS_MAX) {
      return refuse("to", `must be at most ${RANGE_DAYS_MAX} days after from`);
    }
    return { period: { from, to }, top };
  },
);

const timeseriesParameters = QUERY_PARAMETERS.timeseries.transform(
  ({ interval, from, to, type = null }, context): TimeseriesQuery => {
    const refuse = (path: string, message: string): never => {
      context.addIssue({ code: "custom", path: [path], message });
      return z.NEVER;
    };
    if (from === undefined && to === undefined) return { interval, range: undefined, type };
    if (from === undefined) return refuse("from", "is missing beside to");
    if (to === undefined) return refuse("to", "is missing beside from");
    if (from >= to) return refuse("to", "must be after from");
    const range = { from, to };
    const points = bucketCount(range, interval);
    if (points > POINTS_MAX) {
      return refuse(
        "to",
        `must be near enough to from for at most ${POINTS_MAX} points by ${interval}, not ${points}`,
      );
    }
    return { interval, range, type };
  },
);

const eventsParameters = QUERY_PARAMETERS.events.refine(
  ({ from, to }) => from === undefined || to === undefined || from < to,
  { path: ["to"], message: "must be after from" },
);

export const readSummaryParameters = (query: string) => read(summaryParameters, query);

export const readTimeseriesParameters = (query: string) => read(timeseriesParameters, query);

/** Which events are asked for: a new list, or the piece of one that a cursor stands for. */
export interface EventsParameters {
  readonly at: EventsFilter | EventsCursor;
  readonly limit: number;
}

export const readEventsParameters = (
  query: string,
  accountId: string,
): Result.Result<EventsParameters, RequestFault> => {
  const parameters = read(eventsParameters, query);
  if (Result.isFailure(parameters)) return Result.fail(parameters.failure);
  const { limit, cursor: text, from = null, to = null, type = null } = parameters.success;
  const given: EventsFilter = { from, to, type };
  if (text === undefined) return Result.succeed({ at: given, limit });
  const cursor = readCursor(text, accountId, Date.now());
  if (cursor === undefined) return refuseCursor(NO_CURSOR);
  // The filter is in the cursor: it may be left out beside it, or repeated, but not changed.
  const changed = FILTER_NAMES.find(
    (name) => given[name] !== null && given[name] !== cursor.filter[name],
  );
  if (changed === undefined) return Result.succeed({ at: cursor, limit });
  return refuseCursor(`is of a list with another ${changed}`);
};

const FILTER_NAMES = ["from", "to", "type"] as const;

const NO_CURSOR = "must be the next_cursor of an earlier answer for the same account, unchanged";

const refuseCursor = (message: string): Result.Result<never, RequestFault> =>
  Result.fail({ _tag: "ParametersInvalid", issues: [{ index: null, path: "cursor", message }] });

export const readSampleParameters = (query: string) => read(QUERY_PARAMETERS.sample, query);

export const readDeadLettersParameters = (query: string) =>
  read(QUERY_PARAMETERS.deadLetters, query);

/** An account id out of the path. */
export const readAccountId = (id: string): Result.Result<string, RequestFault> => {
  const message = accountIdProblem(id);
  return message === undefined
    ? Result.succeed(id)
    : Result.fail({
        _tag: "ParametersInvalid",
        issues: [{ index: null, path: "account_id", message }],
      });
};

/** Reads a query string. Koa's own reader takes time quadratic in the number of parameters. */
const read = <A>(schema: z.ZodType<A>, query: string): Result.Result<A, RequestFault> => {
  const values = new Map<string, string>();
  const issues: Issue[] = [];
  for (const [name, value] of new URLSearchParams(query)) {
    if (values.has(name)) issues.push({ index: null, path: name, message: "must be given once" });
    values.set(name, value);
  }
  const parsed = schema.safeParse(Object.fromEntries(values));
  if (parsed.success && issues.length === 0) return Result.succeed(parsed.data);
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      const message = "is not a parameter here";
      issues.push(...issue.keys.map((path) => ({ index: null, path, message })));
    } else issues.push({ index: null, path: issue.path.join("."), message: issue.message });
  }
  return Result.fail({ _tag: "ParametersInvalid", issues: issues.slice(0, ISSUES_MAX) });
};
