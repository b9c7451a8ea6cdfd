import { Effect, Result } from "effect";
import type { Context } from "koa";
import { z } from "zod";

import type { RecordedEvent } from "../../../core/event/event.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import {
  type EventsCursor,
  type EventsFilter,
  type EventsList,
  listEvents,
  PAGE_EVENTS_DEFAULT,
  PAGE_EVENTS_MAX,
} from "../../../core/query/list_events.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { NO_STORE, READ_FAILURES } from "../openapi/operation.ts";
import {
  FROM_EXAMPLE,
  instantParameter,
  invalidParameter,
  pathParameter,
  positiveIntegerUpTo,
  readQuery,
  TO_EXAMPLE,
  typeParameter,
} from "../request/parameters.ts";
import type { RequestFault } from "../response/problem.ts";
import { uncached } from "../response/reply.ts";
import { readCursor, writeCursor } from "./events_cursor.ts";
import { ACCOUNT_PARAMETER, identifier, instant, SentEvent, sentEvent } from "./fields.ts";
import { type ApiParts, respondWith, type Route } from "./route.ts";

const WITH_CURSOR = "With a `cursor`, omit it or repeat the value of the first page.";

const PARAMETERS = z.strictObject({
  limit: positiveIntegerUpTo(PAGE_EVENTS_MAX)
    .default(PAGE_EVENTS_DEFAULT)
    .meta({ description: "Maximum number of events in the page.", example: 100 }),
  // Without an example: the examples of the range and the type belong to another list.
  cursor: z
    .string()
    .optional()
    .meta({
      description:
        "The `next_cursor` of an earlier response: returns the page after that one. The cursor contains the `from`, `to` and " +
        "`type` of its list: omit them or repeat them, but do not change them.",
    }),
  from: instantParameter.meta({
    description: `Only events at or after this instant. ${WITH_CURSOR}`,
    example: FROM_EXAMPLE,
  }),
  to: instantParameter.meta({
    description: `Only events before this instant. ${WITH_CURSOR}`,
    example: TO_EXAMPLE,
  }),
  type: typeParameter.meta({
    description: `Only events of this type. ${WITH_CURSOR}`,
    example: "login",
  }),
});

const QUERY = PARAMETERS.refine(
  ({ from, to }) => from === undefined || to === undefined || from < to,
  { path: ["to"], message: "must be after from" },
);

interface Page {
  /** Where the page starts: at the top of a new list, or after a cursor. */
  readonly at: EventsFilter | EventsCursor;
  readonly limit: number;
}

const readPage = (query: string, accountId: string): Result.Result<Page, RequestFault> =>
  Result.flatMap(
    readQuery(QUERY, query),
    ({
      limit,
      cursor: text,
      from = null,
      to = null,
      type = null,
    }): Result.Result<Page, RequestFault> => {
      const given: EventsFilter = { from, to, type };
      if (text === undefined) return Result.succeed({ at: given, limit });
      const cursor = readCursor(text, accountId, Date.now());
      if (cursor === undefined) return Result.fail(invalidParameter("cursor", NOT_A_CURSOR));
      const changed = FILTER_NAMES.find(
        (name) => given[name] !== null && given[name] !== cursor.filter[name],
      );
      return changed === undefined
        ? Result.succeed({ at: cursor, limit })
        : Result.fail(invalidParameter("cursor", `belongs to a list with a different ${changed}`));
    },
  );

const FILTER_NAMES = ["from", "to", "type"] as const;

const NOT_A_CURSOR =
  "must be the next_cursor of an earlier response for the same account, unchanged";

const RecordedEventBody = SentEvent.extend({
  recorded_at: instant.meta({ description: "When it was appended to the log." }),
});

const EventPage = z.object({
  account_id: identifier,
  events: z.array(RecordedEventBody).meta({
    description:
      "Newest first. A page may have fewer events than requested, or none, without being the last.",
  }),
  next_cursor: z.string().nullable().meta({
    description: "The `cursor` of the next page; null on the last page only.",
  }),
  as_of: instant.meta({
    description:
      "Everything recorded before this instant is in the list. It is the same on every page.",
  }),
});

const eventBody = (event: RecordedEvent): z.input<typeof RecordedEventBody> => ({
  ...sentEvent(event),
  recorded_at: formatTimestamp(event.recordedAt),
});

const pageBody = ({ accountId, events, next, asOf }: EventsList): z.input<typeof EventPage> => ({
  account_id: accountId,
  events: events.map(eventBody),
  next_cursor: next === null ? null : writeCursor(next, accountId),
  as_of: formatTimestamp(asOf),
});

/** Lists the events of an account, page by page. */
export const getEvents: Route<ApiParts> = {
  method: "get",
  path: "/accounts/{id}/events",
  access: { scopes: ["read"], accounts: "path" },
  schemas: { EventPage, RecordedEvent: RecordedEventBody },

  operation: ({ second, asOf }) => ({
    operationId: "listEvents",
    tag: "Accounts",
    summary: "List events",
    description:
      "Lists the events as they were sent, newest first, page by page. All pages together are the list at `as_of`: events " +
      "recorded after the first page are on none of them. For the next page send `cursor` and omit `from`, `to` and `type`, " +
      "which it contains.",
    pathParameters: ACCOUNT_PARAMETER,
    query: PARAMETERS,
    answers: {
      200: {
        description: "A page of the list.",
        headers: NO_STORE,
        content: {
          schema: schemaRef("EventPage"),
          example: pageBody({
            accountId: second.accountId,
            events: [second],
            next: {
              before: { occurredAt: second.occurredAt, position: second.position },
              upTo: second.position,
              asOf,
              filter: { from: null, to: null, type: null },
            },
            asOf,
          }),
        },
        links: {
          next: {
            operationId: "listEvents",
            description: "The next page, unless `next_cursor` is null.",
            parameters: {
              id: "$request.path.id",
              limit: "$request.query.limit",
              cursor: "$response.body#/next_cursor",
            },
          },
        },
      },
    },
    failures: [...READ_FAILURES, "LogUnavailable"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const accountId = pathParameter(ctx, "id");
      const { at, limit } = yield* Effect.fromResult(readPage(ctx.querystring, accountId));
      return uncached(pageBody(yield* listEvents(accountId, at, limit)));
    }),
  ),
};
