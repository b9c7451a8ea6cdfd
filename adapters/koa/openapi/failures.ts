import { z } from "zod";

import { ApiKeysUnavailable, Unauthenticated } from "../../../core/access/access.ts";
import { QuotaExceeded } from "../../../core/access/quotas.ts";
import { ISSUES_MAX } from "../../../core/command/decode_batch.ts";
import {
  AccountsForbidden,
  BatchBytesExceeded,
  BatchEmpty,
  BatchMalformed,
  BatchTooComplex,
  BatchTooLarge,
  EventInvalid,
  JsonMalformed,
} from "../../../core/command/errors.ts";
import { BATCH_BYTES_MAX } from "../../../core/event/batch.ts";
import { ReadsFull, TooManyReads } from "../../../core/fair/client_semaphore.ts";
import { LogUnavailable } from "../../../core/log/event_log.ts";
import { POINTS_MAX, TimeseriesTooLarge } from "../../../core/query/account_timeseries.ts";
import { QueueFull, QueueUnavailable } from "../../../core/queue/queue.ts";
import { SummariesUnavailable } from "../../../core/summary/summaries.ts";
import { TurnRefused } from "../../../core/turns.ts";
import {
  type Failure,
  headersOf,
  INTERNAL_PROBLEM,
  nameOf,
  type Problem,
  problemOf,
} from "../response/problem.ts";
import { schemaRef } from "./json_schema.ts";
import { type Headers, REQUEST_ID_EXAMPLE, RETRY_AFTER } from "./operation.ts";

/** The name of a failure; "Internal" stands for a defect of the service. */
export type FailureName = Failure["_tag"] | "Internal";

const Issue = z.object({
  index: z.number().min(0).meta({ type: "integer" }).nullable().meta({
    description: "Index of the event in the batch, from 0; null if no event is at fault.",
  }),
  path: z.string().meta({
    description: "The field or parameter, such as `timestamp` or `metadata.tags[2]`.",
  }),
  message: z.string().min(1).meta({ description: "What is wrong and how to fix it." }),
});

const ProblemDocument = z
  .object({
    type: z
      .string()
      .regex(/^urn:tidemark:problem:[a-z-]+$/)
      .meta({ description: "Stable identifier that programs can compare." }),
    title: z.string().min(1),
    status: z.number().min(400).max(599).meta({ type: "integer" }),
    detail: z.string().min(1),
    errors: z
      .array(Issue)
      .optional()
      .meta({
        description: `For invalid input: up to ${ISSUES_MAX} errors and where they are.`,
      }),
    retry_after: z.number().min(1).optional().meta({
      type: "integer",
      description: "Seconds to wait before retrying. Same as `Retry-After`.",
    }),
    request_id: z.string().min(1).meta({
      description: "Same as `X-Request-Id`. The service's log lines about the request carry it.",
    }),
  })
  .meta({ description: "A problem document (RFC 9457)." });

/** The schemas of problem documents, by their names in the OpenAPI document. */
export const PROBLEM_SCHEMAS = { Problem: ProblemDocument, Issue };

const cause = undefined;

/** A sample of each failure. The document shows the problem that `problemOf` makes of it. */
const FAILURES: { readonly [Tag in Failure["_tag"]]: Extract<Failure, { readonly _tag: Tag }> } = {
  HttpMalformed: { _tag: "HttpMalformed", message: "The request is not well-formed HTTP/1.1." },
  HeadersTooLarge: { _tag: "HeadersTooLarge" },
  RequestTooSlow: { _tag: "RequestTooSlow" },
  RequestTruncated: { _tag: "RequestTruncated" },
  PathMalformed: { _tag: "PathMalformed" },
  RouteUnknown: { _tag: "RouteUnknown", path: "/event" },
  MethodNotAllowed: { _tag: "MethodNotAllowed", method: "PUT", allowed: "GET, HEAD" },
  Starting: { _tag: "Starting" },
  DeadlineExceeded: { _tag: "DeadlineExceeded" },
  DatabaseFault: { _tag: "DatabaseFault" },
  Unauthenticated: new Unauthenticated({ credential: "missing" }),
  ApiKeysUnavailable: new ApiKeysUnavailable({ cause }),
  ScopeMissing: { _tag: "ScopeMissing", scopes: ["read"] },
  AccountForbidden: { _tag: "AccountForbidden" },
  AllAccountsRequired: { _tag: "AllAccountsRequired" },
  AccountsForbidden: new AccountsForbidden(),
  BatchBytesExceeded: new BatchBytesExceeded({ bytes: BATCH_BYTES_MAX + 1 }),
  HostForbidden: { _tag: "HostForbidden" },
  ProxyForbidden: { _tag: "ProxyForbidden", header: "x-forwarded-for" },
  RateLimited: { _tag: "RateLimited", retryAfterSeconds: 42 },
  QuotaExceeded: new QuotaExceeded({ retryAfterSeconds: 9 }),
  ContentTypeUnsupported: { _tag: "ContentTypeUnsupported", contentType: "text/plain" },
  ContentEncodingUnsupported: { _tag: "ContentEncodingUnsupported", encoding: "zstd" },
  BodyTooLarge: { _tag: "BodyTooLarge" },
  BodyFragmented: { _tag: "BodyFragmented" },
  BodyShareExceeded: { _tag: "BodyShareExceeded", retryAfterSeconds: 1 },
  BodyNotInflatable: {
    _tag: "BodyNotInflatable",
    encoding: "gzip",
    message: "incorrect header check",
  },
  JsonMalformed: new JsonMalformed({ message: "The body is empty." }),
  BatchMalformed: new BatchMalformed({
    issues: [{ index: null, path: "events", message: "is missing" }],
  }),
  BatchEmpty: new BatchEmpty(),
  BatchTooLarge: new BatchTooLarge(),
  BatchTooComplex: new BatchTooComplex(),
  EventInvalid: new EventInvalid({
    issues: [
      { index: 0, path: "account_id", message: "is missing" },
      { index: 3, path: "metadata.tags[2]", message: "must not contain \\u0000" },
    ],
  }),
  ParametersInvalid: {
    _tag: "ParametersInvalid",
    issues: [{ index: null, path: "limit", message: "must be a positive integer" }],
  },
  TimeseriesTooLarge: new TimeseriesTooLarge({ points: POINTS_MAX }),
  JobUnknown: { _tag: "JobUnknown", id: "01a20253-aa0c-79c1-b28a-b136a2df5001" },
  DeadLetterUnknown: {
    _tag: "DeadLetterUnknown",
    id: "01a20253-aa0c-79c1-b28a-b136a2df5000",
  },
  TurnRefused: new TurnRefused({ reason: "late", retryAfterSeconds: 1 }),
  QueueFull: new QueueFull({ retryAfterSeconds: 3 }),
  QueueUnavailable: new QueueUnavailable({ cause }),
  LogUnavailable: new LogUnavailable({ cause }),
  SummariesUnavailable: new SummariesUnavailable({ cause }),
  TooManyReads: new TooManyReads(),
  ReadsFull: new ReadsFull(),
};

const problemNamed = (name: FailureName): Problem =>
  name === "Internal" ? INTERNAL_PROBLEM : problemOf(FAILURES[name]);

/** An example of every problem, by the last part of its type. */
export const problemExamples = (): Readonly<Record<string, object>> => {
  const problems = [...(Object.keys(FAILURES) as FailureName[]), "Internal" as const].map(
    problemNamed,
  );
  const byName = new Map(problems.map((problem) => [nameOf(problem), problem]));
  return Object.fromEntries(
    [...byName]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, problem]) => [
        name,
        { summary: problem.title, value: { ...problem, request_id: REQUEST_ID_EXAMPLE } },
      ]),
  );
};

/**
 * The responses to these failures, by status.
 *
 * @param headers sent with each of them
 */
export const problemResponses = (
  names: ReadonlyArray<FailureName>,
  headers: Headers,
): Readonly<Record<string, object>> => {
  const byStatus = Map.groupBy(names.map(problemNamed), ({ status }) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, problems]) => [
      String(status),
      responseOf(status, problems, headers),
    ]),
  );
};

const responseOf = (status: number, problems: ReadonlyArray<Problem>, headers: Headers): object => {
  const byType = new Map(problems.map((problem) => [problem.type, problem]));
  const titles = new Set(Array.from(byType.values(), ({ title }) => title));
  return {
    description: [...titles].join("; ") + ".",
    headers: { ...headersWith(problems), ...headers },
    content: {
      "application/problem+json": {
        schema: {
          ...schemaRef("Problem"),
          properties: { type: { enum: [...byType.keys()] }, status: { const: status } },
        },
        examples: Object.fromEntries(
          Array.from(byType.values(), nameOf).map((name) => [
            name,
            { $ref: `#/components/examples/${name}` },
          ]),
        ),
      },
    },
  };
};

const PROBLEM_HEADERS: Headers = {
  ...RETRY_AFTER,
  "WWW-Authenticate": {
    description: "How to send an API key.",
    required: true,
    schema: { type: "string" },
  },
};

/** The headers that all of these problems are sent with. */
const headersWith = (problems: ReadonlyArray<Problem>): Headers =>
  Object.fromEntries(
    Object.entries(PROBLEM_HEADERS).filter(([name]) =>
      problems.every((problem) => name in headersOf(problem)),
    ),
  );
