import { QUERY_PARAMETERS } from "../request/parameters.ts";
import { ACCOUNT_ID_SCHEMA } from "./event_schema.ts";
import type { exampleBodies } from "./examples.ts";
import { ETAG, NO_STORE, SERVER_TIMING } from "./headers.ts";
import { schemaRef } from "./json_schema.ts";
import { IF_NONE_MATCH, type Operation } from "./operation.ts";

const accountId = {
  id: { description: "The account, percent-encoded.", schema: ACCOUNT_ID_SCHEMA, example: "acme" },
};

/** The queries. */
export const accountOperations = (
  examples: ReturnType<typeof exampleBodies>,
): ReadonlyArray<Operation> => [
  {
    method: "get",
    path: "/accounts/{id}/summary",
    operationId: "summariseAccount",
    tag: "Accounts",
    summary: "Summarise an account",
    description:
      "Counts by type, and the most active users, of a window that ends now or of any range. A summary is exact: it counts " +
      "what has `from ≤ timestamp < to`, to the millisecond, and shows a new event within a second of its 202. It may have " +
      "been kept for a moment, never for more than 60 s.\n\n" +
      "The range is either a `window`, or `from` and `to` together. An account that was never seen has an empty summary.",
    scopes: ["read"],
    pathParameters: accountId,
    query: QUERY_PARAMETERS.summary,
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "The summary.",
        headers: { ...ETAG, ...SERVER_TIMING },
        content: { schema: schemaRef("Summary"), example: examples.summary },
      },
      304: {
        description: "The summary is still the one that the client has.",
        headers: { ...ETAG, ...SERVER_TIMING },
      },
    },
    failures: [
      "ParametersInvalid",
      "AccountForbidden",
      "TooManyReads",
      "ReadsFull",
      "SummariesUnavailable",
      "DeadlineExceeded",
    ],
  },
  {
    method: "get",
    path: "/accounts/{id}/timeseries",
    operationId: "accountTimeseries",
    tag: "Accounts",
    summary: "Count by hour or day",
    description:
      "Counts by type for each hour or day, in UTC. The points add up to the summary of the same range. `from` and `to` go " +
      "together: give both or neither.",
    scopes: ["read"],
    pathParameters: accountId,
    query: QUERY_PARAMETERS.timeseries,
    answers: {
      200: {
        description: "The time series.",
        headers: NO_STORE,
        content: { schema: schemaRef("Timeseries"), example: examples.timeseries },
      },
    },
    failures: [
      "ParametersInvalid",
      "TimeseriesTooLarge",
      "AccountForbidden",
      "TooManyReads",
      "ReadsFull",
      "SummariesUnavailable",
      "DeadlineExceeded",
    ],
  },
  {
    method: "get",
    path: "/accounts/{id}/events",
    operationId: "listEvents",
    tag: "Accounts",
    summary: "List events",
    description:
      "The events themselves, as they were sent and the newest first, page by page. All pages together are the list at " +
      "`as_of`: what is recorded after the first page is on none of them. For the next page send `cursor` and leave out " +
      "`from`, `to` and `type`, which it holds.",
    scopes: ["read"],
    pathParameters: accountId,
    query: QUERY_PARAMETERS.events,
    answers: {
      200: {
        description: "A page of the list.",
        headers: NO_STORE,
        content: { schema: schemaRef("EventPage"), example: examples.eventPage },
        links: {
          next: {
            operationId: "listEvents",
            description: "The next page, unless `next_cursor` is null: then this is the last one.",
            parameters: {
              id: "$request.path.id",
              limit: "$request.query.limit",
              cursor: "$response.body#/next_cursor",
            },
          },
        },
      },
    },
    failures: [
      "ParametersInvalid",
      "AccountForbidden",
      "TooManyReads",
      "ReadsFull",
      "LogUnavailable",
      "DeadlineExceeded",
    ],
  },
  {
    method: "get",
    path: "/accounts/sample",
    operationId: "sampleAccounts",
    tag: "Accounts",
    summary: "Sample accounts",
    description: "Some accounts that have events, of those that the key is for.",
    scopes: ["read"],
    query: QUERY_PARAMETERS.sample,
    answers: {
      200: {
        description: "The accounts.",
        content: { schema: schemaRef("Accounts"), example: examples.accounts },
        links: {
          summary: {
            operationId: "summariseAccount",
            description: "The summary of the first of them.",
            parameters: { id: "$response.body#/account_ids/0" },
          },
        },
      },
    },
    failures: [
      "ParametersInvalid",
      "TooManyReads",
      "ReadsFull",
      "SummariesUnavailable",
      "DeadlineExceeded",
    ],
  },
];
