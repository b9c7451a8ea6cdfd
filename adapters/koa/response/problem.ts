import type { ApiKeysUnavailable, Unauthenticated } from "../../../core/access/access.ts";
import type { Scope } from "../../../core/access/principal.ts";
import type { QuotaExceeded } from "../../../core/access/quotas.ts";
import { BATCH_EVENTS_MAX, BATCH_TOKENS_MAX } from "../../../core/command/decode_batch.ts";
import type {
  AccountsForbidden,
  BatchBytesExceeded,
  BatchRejected,
} from "../../../core/command/errors.ts";
import { BATCH_BYTES_MAX } from "../../../core/event/batch.ts";
import type { Issue } from "../../../core/event/decode.ts";
import type { ReadRefused } from "../../../core/fair/client_semaphore.ts";
import type { LogUnavailable } from "../../../core/log/event_log.ts";
import { COUNTS_MAX, type TimeseriesTooLarge } from "../../../core/query/account_timeseries.ts";
import type { QueueFull, QueueUnavailable } from "../../../core/queue/queue.ts";
import type { SummariesUnavailable } from "../../../core/summary/summaries.ts";
import type { TurnRefused } from "../../../core/turns.ts";
import {
  BODY_BYTES_MAX,
  BODY_PIECE_BYTES_MIN,
  HEADERS_TIMEOUT_MS,
  RECEIVE_TIMEOUT_MS,
} from "../limits.ts";

/**
 * A problem document.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export interface Problem {
  /** Stable; clients may compare it. */
  readonly type: `urn:tidemark:problem:${string}`;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** For invalid input: what is wrong and where. */
  readonly errors?: ReadonlyArray<Issue>;
  /** Whole seconds to wait before retrying, at least 1. Also sent as `Retry-After`. */
  readonly retry_after?: number;
}

/** What is wrong with a request, before core sees it. */
export type RequestFault =
  | { readonly _tag: "HttpMalformed"; readonly message: string }
  | { readonly _tag: "HeadersTooLarge" }
  | { readonly _tag: "RequestTooSlow" }
  | { readonly _tag: "RequestTruncated" }
  | { readonly _tag: "BodyTooLarge" }
  | { readonly _tag: "BodyFragmented" }
  | { readonly _tag: "BodyShareExceeded"; readonly retryAfterSeconds: number }
  | { readonly _tag: "BodyNotInflatable"; readonly encoding: string; readonly message: string }
  | { readonly _tag: "ContentTypeUnsupported"; readonly contentType: string }
  | { readonly _tag: "ContentEncodingUnsupported"; readonly encoding: string }
  | { readonly _tag: "ParametersInvalid"; readonly issues: ReadonlyArray<Issue> }
  | { readonly _tag: "PathMalformed" }
  | { readonly _tag: "RouteUnknown"; readonly path: string }
  | { readonly _tag: "MethodNotAllowed"; readonly method: string; readonly allowed: string }
  | { readonly _tag: "JobUnknown"; readonly id: string }
  | { readonly _tag: "DeadLetterUnknown"; readonly id: string }
  | { readonly _tag: "ScopeMissing"; readonly scopes: ReadonlyArray<Scope> }
  | { readonly _tag: "AccountForbidden" }
  | { readonly _tag: "AllAccountsRequired" }
  | { readonly _tag: "HostForbidden" }
  | { readonly _tag: "ProxyForbidden"; readonly header: string }
  | { readonly _tag: "RateLimited"; readonly retryAfterSeconds: number }
  | { readonly _tag: "Starting" };

/** The answer was not ready in time. A command may still take effect. */
export interface DeadlineExceeded {
  readonly _tag: "DeadlineExceeded";
}

/** A `StoreFailure` with a fault: the database is reachable, but retrying does not help. */
export interface DatabaseFault {
  readonly _tag: "DatabaseFault";
}

/** Everything that a route can fail with. */
export type Failure =
  | RequestFault
  | DeadlineExceeded
  | DatabaseFault
  | Unauthenticated
  | ApiKeysUnavailable
  | QuotaExceeded
  | AccountsForbidden
  | BatchBytesExceeded
  | BatchRejected
  | TurnRefused
  | QueueFull
  | QueueUnavailable
  | LogUnavailable
  | TimeseriesTooLarge
  | ReadRefused
  | SummariesUnavailable;

/** Status and name of the problem of each failure, and its title unless that is the name. */
const PROBLEMS: Readonly<Record<Failure["_tag"], readonly [number, string, title?: string]>> = {
  HttpMalformed: [400, "http-malformed", "Malformed request"],
  HeadersTooLarge: [431, "headers-too-large"],
  RequestTooSlow: [408, "request-too-slow", "Request timed out"],
  RequestTruncated: [400, "request-truncated"],
  BodyTooLarge: [413, "body-too-large"],
  BodyFragmented: [400, "body-fragmented", "Body has too many pieces"],
  BodyShareExceeded: [429, "body-share-exceeded", "Too many bytes in flight"],
  BodyNotInflatable: [400, "body-not-inflatable", "Body does not match its Content-Encoding"],
  JsonMalformed: [400, "json-malformed", "Malformed JSON"],
  ContentTypeUnsupported: [415, "content-type-unsupported"],
  ContentEncodingUnsupported: [415, "content-encoding-unsupported"],
  ParametersInvalid: [400, "parameters-invalid"],
  PathMalformed: [400, "path-malformed"],
  RouteUnknown: [404, "route-unknown", "Not found"],
  MethodNotAllowed: [405, "method-not-allowed"],
  JobUnknown: [404, "job-unknown", "Job not found"],
  DeadLetterUnknown: [404, "dead-letter-unknown", "Dead letter not found"],
  Unauthenticated: [401, "unauthenticated", "API key required"],
  ScopeMissing: [403, "scope-missing"],
  AccountForbidden: [403, "account-forbidden"],
  AccountsForbidden: [403, "account-forbidden"],
  AllAccountsRequired: [403, "account-forbidden"],
  HostForbidden: [403, "host-forbidden"],
  ProxyForbidden: [403, "proxy-forbidden"],
  RateLimited: [429, "rate-limited", "Too many requests"],
  QuotaExceeded: [429, "quota-exceeded", "Event quota exceeded"],
  TooManyReads: [429, "too-many-reads"],
  ReadsFull: [503, "reads-full", "Service overloaded"],
  Starting: [503, "starting", "Service starting"],
  BatchMalformed: [400, "batch-malformed"],
  BatchEmpty: [400, "batch-empty"],
  BatchTooLarge: [400, "batch-too-large"],
  BatchBytesExceeded: [400, "batch-too-large"],
  BatchTooComplex: [400, "batch-too-complex"],
  EventInvalid: [400, "event-invalid"],
  TurnRefused: [503, "turn-refused", "Service overloaded"],
  QueueFull: [503, "queue-full", "Service overloaded"],
  TimeseriesTooLarge: [400, "timeseries-too-large", "Time series too large"],
  DeadlineExceeded: [503, "deadline-exceeded", "Response timed out"],
  ApiKeysUnavailable: [503, "unavailable", "Database unavailable"],
  QueueUnavailable: [503, "unavailable", "Database unavailable"],
  LogUnavailable: [503, "unavailable", "Database unavailable"],
  SummariesUnavailable: [503, "unavailable", "Database unavailable"],
  DatabaseFault: [500, "database-fault", "Database refuses the service"],
};

/** For failures that do not say how long to wait. */
const RETRY_AFTER_SECONDS = 1;
const RETRY_AFTER_READS_SECONDS = 2;

/** The one place where failures become HTTP. */
export const problemOf = (failure: Failure): Problem => {
  // A store that has a fault does not recover by waiting.
  if ("fault" in failure && failure.fault !== undefined)
    return problemOf({ _tag: "DatabaseFault" });
  const [status, name, title = inWords(name)] = PROBLEMS[failure._tag];
  const explained = explain(failure);
  const errors = typeof explained === "string" ? undefined : explained;
  const problem: Problem = {
    type: `urn:tidemark:problem:${name}`,
    title,
    status,
    detail: typeof explained === "string" ? explained : summarise(explained),
    ...(errors && { errors }),
  };
  if (status !== 429 && status !== 503) return problem;
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds(failure)));
  return { ...problem, detail: `${problem.detail} Retry in ${seconds} s.`, retry_after: seconds };
};

const retryAfterSeconds = (failure: Failure): number => {
  if ("retryAfterSeconds" in failure) return failure.retryAfterSeconds;
  const isRead = failure._tag === "TooManyReads" || failure._tag === "ReadsFull";
  return isRead ? RETRY_AFTER_READS_SECONDS : RETRY_AFTER_SECONDS;
};

const inWords = (name: string): string =>
  name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");

const CREATE_KEY = "Create a key: npm run -s keys -- create --scope write,read.";

/** The detail of a failure, or its issues. */
const explain = (failure: Failure): string | ReadonlyArray<Issue> => {
  switch (failure._tag) {
    case "HttpMalformed":
    case "JsonMalformed":
      return failure.message;
    case "HeadersTooLarge":
      return "Send a shorter path and fewer or shorter headers.";
    case "RequestTooSlow":
      return `Send the headers within ${HEADERS_TIMEOUT_MS / 1000} s and the whole request within ${RECEIVE_TIMEOUT_MS / 1000} s.`;
    case "RequestTruncated":
      return "The connection was closed before the end of the request.";
    case "BodyNotInflatable":
      return `The body cannot be decompressed as ${failure.encoding}: ${failure.message}.`;
    case "BodyTooLarge":
      return `A body may have at most ${BODY_BYTES_MAX} bytes, also after decompression. Send fewer events per request.`;
    case "BodyFragmented":
      return `The body has too many pieces. Send it with a Content-Length, or in chunks of at least ${BODY_PIECE_BYTES_MIN} bytes.`;
    case "BodyShareExceeded":
      return "The bodies that this client is sending take as much memory as one client may.";
    case "ContentTypeUnsupported":
      return `Send Content-Type: application/json, in UTF-8${given(failure.contentType)}.`;
    case "ContentEncodingUnsupported":
      return `Send the body uncompressed, or with one Content-Encoding of gzip, deflate and br${given(failure.encoding)}.`;
    case "ParametersInvalid":
    case "BatchMalformed":
    case "EventInvalid":
      return failure.issues;
    case "PathMalformed":
      return "Percent-encode the path as UTF-8.";
    case "RouteUnknown":
      return `No route has the path ${failure.path}.`;
    case "MethodNotAllowed":
      return `${failure.method} is not allowed here. Allowed: ${failure.allowed}.`;
    case "JobUnknown":
      return `There is no job ${failure.id}. Jobs are deleted some time after they end.`;
    case "DeadLetterUnknown":
      return `There is no dead letter ${failure.id}. It may have been redriven or dropped.`;
    case "Unauthenticated":
      return failure.credential === "missing"
        ? "Send an API key as Authorization: Bearer, or as the user name of Basic authentication."
        : "The API key is invalid or was revoked.";
    case "ScopeMissing":
      return `This requires a key with the scope ${failure.scopes.join(" or ")}.`;
    case "AccountForbidden":
      return "This key does not grant access to the account.";
    case "AccountsForbidden":
      return "This key does not grant access to every account of the batch.";
    case "AllAccountsRequired":
      return "This requires a key for all accounts.";
    case "HostForbidden":
      return `As long as no API key exists, Host must be localhost, an IP address or a name in ALLOWED_HOSTS. ${CREATE_KEY}`;
    case "ProxyForbidden":
      return (
        `As long as no API key exists, the service accepts no requests through a proxy, and this one has ${failure.header}. ` +
        `Set AUTH=required and TRUST_PROXY. ${CREATE_KEY}`
      );
    case "RateLimited":
      return "The client has sent as many requests as it may in this minute.";
    case "QuotaExceeded":
      return "The quota of events is used up, and nothing of this request was accepted.";
    case "TooManyReads":
      return "Too many reads of this client are waiting. Wait for responses before sending more.";
    case "ReadsFull":
      return "The service is overloaded.";
    case "Starting":
      return "The service is starting.";
    case "BatchEmpty":
      return issue("events", `must hold 1 to ${BATCH_EVENTS_MAX} events`);
    case "BatchTooLarge":
      return issue("events", `must hold 1 to ${BATCH_EVENTS_MAX} events, and holds more`);
    case "BatchTooComplex":
      return issue(
        "",
        `must hold at most ${BATCH_TOKENS_MAX} values and keys; send fewer events per request`,
      );
    case "BatchBytesExceeded":
      return issue(
        "events",
        `must take at most ${BATCH_BYTES_MAX} bytes together once their numbers are written in full, not ${failure.bytes}`,
      );
    case "TurnRefused":
      return "Too many requests are waiting to be decoded, and nothing of this one was accepted.";
    case "QueueFull":
      return "The service is overloaded, and nothing of this request was accepted.";
    case "TimeseriesTooLarge":
      return issue(
        "type",
        `must be given: all types of the account at ${failure.points} points are more than ${COUNTS_MAX} counts`,
      );
    case "DeadlineExceeded":
      return "The response was not ready in time.";
    case "ApiKeysUnavailable":
    case "QueueUnavailable":
    case "LogUnavailable":
    case "SummariesUnavailable":
      return "The database is unavailable.";
    case "DatabaseFault":
      // The client cannot fix the cause, so it does not learn it.
      return "The database refuses the service. An operator has to fix it; the service's log has the cause.";
  }
};

const issue = (path: string, message: string): ReadonlyArray<Issue> => [
  { index: null, path, message },
];

const summarise = (issues: ReadonlyArray<Issue>): string => {
  const [first] = issues;
  return first !== undefined && issues.length === 1 ? sentence(first) : `${issues.length} errors.`;
};

const sentence = ({ index, path, message }: Issue): string => {
  const where = index === null ? "" : `events[${index}]`;
  const field = path === "" ? "" : where === "" ? path : `.${path}`;
  return `${where}${field} ${message}`.trim() + ".";
};

const given = (value: string): string => (value === "" ? "" : `, not ${value.slice(0, 100)}`);

/** For defects. The client does not learn the cause. */
export const INTERNAL_PROBLEM: Problem = {
  type: "urn:tidemark:problem:internal",
  title: "Internal error",
  status: 500,
  detail: "The service failed, and logged the cause.",
};

/** The name of a problem, such as `queue-full`. */
export const nameOf = ({ type }: Problem): string => type.slice(type.lastIndexOf(":") + 1);

/** An ID from a request, cut so that a problem can contain it. */
export const shownId = (id: string): string => id.slice(0, 100).toWellFormed();

/** The headers of a problem document. */
export const headersOf = ({ status, retry_after }: Problem): Record<string, string> => ({
  "Content-Type": "application/problem+json",
  "Cache-Control": "no-store",
  ...(status === 401 ? { "WWW-Authenticate": 'Bearer realm="tidemark"' } : {}),
  ...(retry_after === undefined ? {} : { "Retry-After": String(retry_after) }),
});
