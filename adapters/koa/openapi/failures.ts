import { ApiKeysUnavailable, Unauthenticated } from "../../../core/access/access.ts";
import { QuotaExceeded } from "../../../core/access/quotas.ts";
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
  type Problem,
  problemOf,
} from "../response/problem.ts";
import { type Headers, REQUEST_ID_EXAMPLE } from "./headers.ts";
import { schemaRef } from "./json_schema.ts";

/** Names what a route can fail with; "Internal" is a fault of the service itself. */
export type FailureName = Failure["_tag"] | "Internal";

const cause = undefined;

/** Each failure once, such as it might be: the document shows what `problemOf` makes of it. */
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
  ScopeMissing: { _tag: "ScopeMissing", scope: "read" },
  AccountForbidden: { _tag: "AccountForbidden" },
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

/** What follows `urn:tidemark:problem:`. */
const nameOf = ({ type }: Problem): string => type.slice(type.lastIndexOf(":") + 1);

/** An example of every problem that there is, by the end of its type. */
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

/** The responses of an operation that can fail in these ways, by status; `headers` may come with each. */
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

const ALWAYS: Headers = {
  "Retry-After": {
    description: "When to come again, in seconds.",
    required: true,
    schema: { type: "integer", minimum: 1 },
  },
  "WWW-Authenticate": {
    description: "How to show a key.",
    required: true,
    schema: { type: "string" },
  },
};

/** Those headers that come with each of these problems. */
const headersWith = (problems: ReadonlyArray<Problem>): Headers =>
  Object.fromEntries(
    Object.entries(ALWAYS).filter(([name]) =>
      problems.every((problem) => name in headersOf(problem)),
    ),
  );
