import { hash } from "node:crypto";

import { Context as Services, Effect, Result } from "effect";
import type { Middleware } from "koa";
import { LRUCache } from "lru-cache";
import { z } from "zod";

import { covers, hasScope } from "../../../core/access/principal.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import type { Answer, Question } from "../../../core/query/answer.ts";
import {
  type AccountSummary,
  type Period,
  TOP_USERS_DEFAULT,
  TOP_USERS_MAX,
} from "../../../core/query/summarise_account.ts";
import { SummaryCache, type Tier } from "../../../core/query/summary_cache.ts";
import { RANGE_DAYS_MAX, RANGE_MS_MAX, WINDOW_NAMES } from "../../../core/summary/range.ts";
import { principalOf } from "../access/principal.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { ETAG, type Headers, IF_NONE_MATCH, READ_FAILURES } from "../openapi/operation.ts";
import {
  FROM_EXAMPLE,
  instantParameter,
  pathParameter,
  positiveIntegerUpTo,
  readQuery,
  refuseParameter,
  TO_EXAMPLE,
} from "../request/parameters.ts";
import { type Reply, sendReply } from "../response/reply.ts";
import { setRoute } from "../telemetry/observe.ts";
import { spanOfRequest } from "../telemetry/trace_requests.ts";
import { ACCOUNT_PARAMETER, asOf, count, identifier, instant, totals } from "./fields.ts";
import { type ApiParts, type Route, routerPath } from "./route.ts";

const PARAMETERS = z.strictObject({
  window: z
    .enum(WINDOW_NAMES, `must be one of ${WINDOW_NAMES.join(", ")}`)
    .optional()
    .meta({
      description:
        "A range that ends now, to the millisecond; `last_24h` by default. Cannot be combined with `from` and `to`.",
      example: "last_24h",
    }),
  // Without an example: it cannot be combined with the example of window.
  from: instantParameter.meta({
    description: `Only events at or after this instant, such as ${FROM_EXAMPLE}. Requires \`to\`; cannot be combined with \`window\`.`,
  }),
  to: instantParameter.meta({
    description:
      `Only events before this instant, such as ${TO_EXAMPLE}, at most ${RANGE_DAYS_MAX} days after \`from\`. ` +
      "Requires `from`; cannot be combined with `window`.",
  }),
  top: positiveIntegerUpTo(TOP_USERS_MAX)
    .default(TOP_USERS_DEFAULT)
    .meta({ description: "Number of users to name.", example: 10 }),
});

const QUERY = PARAMETERS.transform(
  ({ window, from, to, top }, context): { period: Period; top: number } => {
    if (from === undefined && to === undefined) return { period: window ?? "last_24h", top };
    if (window !== undefined) {
      return refuseParameter(context, "window", "must not be given together with from and to");
    }
    if (from === undefined) return refuseParameter(context, "from", "is missing beside to");
    if (to === undefined) return refuseParameter(context, "to", "is missing beside from");
    if (from >= to) return refuseParameter(context, "to", "must be after from");
    if (to - from > RANGE_MS_MAX) {
      return refuseParameter(context, "to", `must be at most ${RANGE_DAYS_MAX} days after from`);
    }
    return { period: { from, to }, top };
  },
);

const Summary = z.object({
  account_id: identifier,
  window: z.enum([...WINDOW_NAMES, "custom"]).meta({
    description: "The requested window; `custom` for a range.",
  }),
  totals: totals.meta({ description: "Events by type. Types that did not occur are absent." }),
  top_users: z.array(z.object({ user_id: identifier, events: count })).meta({
    description: "Most events first; users with equally many in the byte order of their IDs.",
  }),
  from: instant,
  to: instant,
  as_of: asOf,
});

const summaryBody = (summary: AccountSummary): z.input<typeof Summary> => ({
  account_id: summary.accountId,
  window: summary.window,
  // By name, so that equal summaries are equal texts. No type starts with a digit or "__".
  totals: Object.fromEntries([...summary.totals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  top_users: summary.topUsers.map(({ userId, events }) => ({ user_id: userId, events })),
  from: formatTimestamp(summary.range.from),
  to: formatTimestamp(summary.range.to),
  as_of: formatTimestamp(summary.asOf),
});

/** The JSON text of a summary: it is cached as text, and sent many times. */
export const summaryText = (summary: AccountSummary): string =>
  JSON.stringify(summaryBody(summary));

const SERVER_TIMING: Headers = {
  "Server-Timing": {
    description:
      "The source of the summary and how long it took in milliseconds: this process's memory (`lru`), `redis`, or the database (`miss`).",
    required: true,
    schema: { type: "string", pattern: '^cache;desc="(lru|redis|miss)";dur=[0-9.]+$' },
  },
};

/** Counts the events of an account and names its most active users. */
export const getSummary: Route<ApiParts> = {
  method: "get",
  path: "/accounts/{id}/summary",
  access: { scopes: ["read"], accounts: "path" },
  schemas: { Summary },

  operation: ({ now, asOf: readAt, counts, first, second }) => ({
    operationId: "summariseAccount",
    tag: "Accounts",
    summary: "Summarise an account",
    description:
      "Counts events by type and names the most active users, for a window that ends now or for any range. A summary is " +
      "exact: it counts events with `from ≤ timestamp < to`, to the millisecond, and includes a new event within a second of " +
      "its 202 response. It may come from a cache, but is never older than 60 s.\n\n" +
      "Give either `window`, or `from` and `to`. An account without events has an empty summary.",
    pathParameters: ACCOUNT_PARAMETER,
    query: PARAMETERS,
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "The summary.",
        headers: { ...ETAG, ...SERVER_TIMING },
        content: {
          schema: schemaRef("Summary"),
          example: summaryBody({
            accountId: second.accountId,
            window: "last_24h",
            totals: counts,
            topUsers: [
              { userId: first.userId, events: 1 },
              { userId: second.userId, events: 1 },
            ],
            range: { from: now - 86_400_000, to: now },
            asOf: readAt,
            checkpoint: 2,
            generation: 1,
          }),
        },
      },
      304: {
        description: "The client already has the current summary.",
        headers: { ...ETAG, ...SERVER_TIMING },
      },
    },
    failures: [...READ_FAILURES, "SummariesUnavailable"],
  }),

  handler: ({ services, respond }) => {
    const cache = Services.get(services, SummaryCache);
    return (ctx) => {
      const since = performance.now();
      const question = Result.map(readQuery(QUERY, ctx.querystring), (query) => ({
        accountId: pathParameter(ctx, "id"),
        ...query,
      }));
      const { url = "" } = ctx.req;
      if (Result.isSuccess(question) && url.length <= URL_CHARACTERS_MAX) {
        questions.set(url, question.success);
      }
      return respond(
        ctx,
        Effect.map(
          Effect.flatMap(Effect.fromResult(question), cache.answer),
          ({ answer, tier }) => {
            spanOfRequest(ctx)?.attribute("tidemark.cache.tier", tier);
            return replyOf(answer, tier, since);
          },
        ),
      );
    };
  },
};

const ROUTE = routerPath(getSummary.path);

/** How many URLs are remembered, and how long one may be: some megabytes in total. */
const URLS_MAX = 10_000;
const URL_CHARACTERS_MAX = 400;

/** The questions of URLs that were parsed before. Parsing is pure, so applications share them. */
const questions = new LRUCache<string, Question>({ max: URLS_MAX });

/**
 * Answers what this process has cached, by the URL alone: most reads end here. It reads no
 * parameters and starts no fiber, and leaves everything else to the route.
 */
export const answerCached =
  (cache: SummaryCache["Service"]): Middleware =>
  (ctx, next) => {
    const { method, url = "" } = ctx.req;
    const question = method === "GET" ? questions.get(url) : undefined;
    if (question === undefined) return next();
    const since = performance.now();
    const principal = principalOf(ctx);
    if (!hasScope(principal, "read") || !covers(principal, question.accountId)) return next();
    const answer = cache.hit(question);
    if (answer === undefined) return next();
    setRoute(ctx, ROUTE);
    spanOfRequest(ctx)?.attribute("tidemark.cache.tier", "lru");
    sendReply(ctx, replyOf(answer, "lru", since));
    return undefined;
  };

/**
 * Clients may store a summary but must revalidate it each time. An age of even a second would add
 * to the second within which a new event has to show; revalidation costs only a 304.
 */
const replyOf = (answer: Answer, tier: Tier, since: number): Reply => ({
  headers: {
    "Cache-Control": "private, max-age=0, must-revalidate",
    "Content-Type": "application/json; charset=utf-8",
    ETag: tagOf(answer),
    "Server-Timing": `cache;desc="${tier}";dur=${(performance.now() - since).toFixed(2)}`,
  },
  body: answer.text,
});

/** The tag of each cached answer: hashing it again would cost more than sending it. */
const tags = new WeakMap<Answer, string>();

/**
 * The tag covers every byte, including `as_of`: a 304 means that the client has exactly what it
 * would get. So no client keeps using a copy that is older than the oldest answer that may be
 * given.
 */
const tagOf = (answer: Answer): string => {
  const known = tags.get(answer);
  if (known !== undefined) return known;
  const tag = `"${hash("sha1", answer.text, "base64url")}"`;
  tags.set(answer, tag);
  return tag;
};
