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
import { SECURITY_HEADERS } from "./security_headers.ts";

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
  /** For invalid input: what is wrong where. */
  readonly errors?: ReadonlyArray<Issue>;
  /** For answers that say "later": whole seconds, at least 1. Also sent as `Retry-After`. */
  readonly retry_after?: number;
}

/** What is wrong with a request before it means anything to the domain. */
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
  | { readonly _tag: "ScopeMissing"; readonly scope: Scope }
  | { readonly _tag: "AccountForbidden" }
  | { readonly _tag: "HostForbidden" }
  | { readonly _tag: "ProxyForbidden"; readonly header: string }
  | { readonly _tag: "RateLimited"; readonly retryAfterSeconds: number }
  | { readonly _tag: "Starting" };

/** The answer was not there in time. What was asked for may still come about. */
export interface DeadlineExceeded {
  readonly _tag: "DeadlineExceeded";
}

/** The database answers, but waiting does not mend what it answers: what a `StoreFailure` with a fault is shown as. */
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

const RETRY_AFTER_AWAY_SECONDS = 1;
const RETRY_AFTER_READS_SECONDS = 2;

/** The one place where errors become HTTP. */
export const problemOf = (failure: Failure): Problem => {
  switch (failure._tag) {
    case "HttpMalformed":
      return bad("http-malformed", "The request is malformed", failure.message);
    case "HeadersTooLarge":
      return {
        type: "urn:tidemark:problem:headers-too-large",
        title: "The headers are too large",
        status: 431,
        detail: "Send a shorter path and fewer or shorter headers.",
      };
    case "RequestTooSlow":
      return {
        type: "urn:tidemark:problem:request-too-slow",
        title: "The request did not come in time",
        status: 408,
        detail: `Send the headers within ${HEADERS_TIMEOUT_MS / 1000} s and the whole request within ${RECEIVE_TIMEOUT_MS / 1000} s.`,
      };
    case "RequestTruncated":
      return bad(
        "request-truncated",
        "The request is incomplete",
        "The connection was closed before the end of the request.",
      );
    case "JsonMalformed":
      return bad("json-malformed", "The body is not JSON", failure.message);
    case "BodyNotInflatable":
      return bad(
        "body-not-inflatable",
        "The body is not what its Content-Encoding says",
        `It cannot be decompressed as ${failure.encoding}: ${failure.message}.`,
      );
    case "BodyTooLarge":
      return {
        type: "urn:tidemark:problem:body-too-large",
        title: "The body is too large",
        status: 413,
        detail: `A body may have at most ${BODY_BYTES_MAX} bytes, after decompression too. Send fewer events at once.`,
      };
    case "BodyFragmented":
      return bad(
        "body-fragmented",
        "The body comes in too many pieces",
        `Send it with a Content-Length, or in chunks of at least ${BODY_PIECE_BYTES_MIN} bytes.`,
      );
    case "BodyShareExceeded":
      return limited(
        "body-share-exceeded",
        "Too many bytes at once",
        failure.retryAfterSeconds,
        "The bodies that you are sending hold as much memory as a client may have. ",
      );
    case "ContentTypeUnsupported":
      return {
        type: "urn:tidemark:problem:content-type-unsupported",
        title: "The content type is not supported",
        status: 415,
        detail: `Send Content-Type: application/json, in UTF-8${given(failure.contentType)}.`,
      };
    case "ContentEncodingUnsupported":
      return {
        type: "urn:tidemark:problem:content-encoding-unsupported",
        title: "The content encoding is not supported",
        status: 415,
        detail: `Send the body as it is, or with one Content-Encoding of gzip, deflate and br${given(failure.encoding)}.`,
      };
    case "ParametersInvalid":
      return invalid("parameters-invalid", "A parameter is invalid", failure.issues);
    case "PathMalformed":
      return bad("path-malformed", "The path is malformed", "Percent-encode it as UTF-8.");
    case "RouteUnknown":
      return {
        type: "urn:tidemark:problem:route-unknown",
        title: "There is nothing here",
        status: 404,
        detail: `No route has the path ${failure.path}.`,
      };
    case "MethodNotAllowed":
      return {
        type: "urn:tidemark:problem:method-not-allowed",
        title: "The method is not allowed here",
        status: 405,
        detail: `${failure.method} is not allowed here; ${failure.allowed} is.`,
      };
    case "JobUnknown":
      return {
        type: "urn:tidemark:problem:job-unknown",
        title: "The job is not known",
        status: 404,
        detail: `There is no job ${failure.id}, or it ended some time ago and was forgotten.`,
      };
    case "DeadLetterUnknown":
      return {
        type: "urn:tidemark:problem:dead-letter-unknown",
        title: "The dead letter is not known",
        status: 404,
        detail: `There is no dead letter ${failure.id}: it was dealt with, or never was.`,
      };
    case "Unauthenticated":
      return {
        type: "urn:tidemark:problem:unauthenticated",
        title: "A key is needed",
        status: 401,
        detail:
          failure.credential === "missing"
            ? "Send an API key as Authorization: Bearer, or as the user name of Basic."
            : "The API key is not valid, or was revoked.",
      };
    case "ScopeMissing":
      return forbidden("scope-missing", `This needs a key with the scope ${failure.scope}.`);
    case "AccountForbidden":
    case "AccountsForbidden":
      return forbidden("account-forbidden", "The key is for other accounts.");
    case "HostForbidden":
      return {
        type: "urn:tidemark:problem:host-forbidden",
        title: "The service is not open under this name",
        status: 403,
        detail:
          "While there is no API key it answers only under localhost, an address, or a name in ALLOWED_HOSTS. " +
          "Create a key: npm run -s keys -- create --scope write,read.",
      };
    case "ProxyForbidden":
      return {
        type: "urn:tidemark:problem:proxy-forbidden",
        title: "The service is not open through a proxy",
        status: 403,
        detail:
          `While there is no API key it answers only clients on its own machine, and a proxy sent this request (${failure.header}). ` +
          "Set AUTH=required and TRUST_PROXY, and create a key: npm run -s keys -- create --scope write,read.",
      };
    case "RateLimited":
      return limited("rate-limited", "Too many requests", failure.retryAfterSeconds);
    case "QuotaExceeded":
      return limited("quota-exceeded", "Too many events", failure.retryAfterSeconds);
    case "TooManyReads":
      return {
        ...limited("too-many-reads", "Too many reads at once", RETRY_AFTER_READS_SECONDS),
        detail:
          "This client has as many reads waiting as it may. Wait for answers before you ask for more, and send this " +
          `request again in ${RETRY_AFTER_READS_SECONDS} s.`,
      };
    case "ReadsFull":
      return later("reads-full", "The service is overloaded", RETRY_AFTER_READS_SECONDS);
    case "Starting":
      return later("starting", "The service is starting", RETRY_AFTER_AWAY_SECONDS);
    case "BatchMalformed":
      return invalid("batch-malformed", "The body is not a batch of events", failure.issues);
    case "BatchEmpty":
      return invalid("batch-empty", "The batch is empty", [
        { index: null, path: "events", message: `must hold 1 to ${BATCH_EVENTS_MAX} events` },
      ]);
    case "BatchTooLarge":
      return invalid("batch-too-large", "The batch is too large", [
        {
          index: null,
          path: "events",
          message: `must hold 1 to ${BATCH_EVENTS_MAX} events, and holds more`,
        },
      ]);
    case "BatchTooComplex":
      return invalid("batch-too-complex", "The batch has too many values", [
        {
          index: null,
          path: "",
          message: `must hold at most ${BATCH_TOKENS_MAX} values and keys; send fewer events at once`,
        },
      ]);
    case "BatchBytesExceeded":
      return invalid("batch-too-large", "The batch is too large", [
        {
          index: null,
          path: "events",
          message: `must take at most ${BATCH_BYTES_MAX} bytes together once their numbers are written in full, not ${failure.bytes}`,
        },
      ]);
    case "EventInvalid":
      return invalid(
        "event-invalid",
        "An event is invalid, so nothing of the batch was stored",
        failure.issues,
      );
    case "TurnRefused":
      return later(
        "turn-refused",
        failure.reason === "full"
          ? "Too many requests of this client, or of all, wait to be read"
          : "The request could not be read in time",
        failure.retryAfterSeconds,
      );
    case "QueueFull":
      return later("queue-full", "The service is overloaded", failure.retryAfterSeconds);
    case "TimeseriesTooLarge":
      return invalid("timeseries-too-large", "The time series would be too large", [
        {
          index: null,
          path: "type",
          message: `must be given: all types of the account at ${failure.points} points are more than ${COUNTS_MAX} counts`,
        },
      ]);
    case "DeadlineExceeded":
      return later("deadline-exceeded", "The answer took too long", RETRY_AFTER_AWAY_SECONDS);
    case "ApiKeysUnavailable":
    case "QueueUnavailable":
    case "LogUnavailable":
    case "SummariesUnavailable":
      return failure.fault === undefined
        ? later("unavailable", "The database cannot be reached", RETRY_AFTER_AWAY_SECONDS)
        : DATABASE_FAULT;
    case "DatabaseFault":
      return DATABASE_FAULT;
  }
};

/** What waiting does not mend. The client does not learn the cause, since it can do nothing about it. */
const DATABASE_FAULT: Problem = {
  type: "urn:tidemark:problem:database-fault",
  title: "The database refuses what the service asks of it",
  status: 500,
  detail:
    "Nothing of this request was accepted as far as is known. Somebody has to mend the service: its log says what is wrong.",
};

/** For what must not happen: nothing of the cause is told to the client. */
export const INTERNAL_PROBLEM: Problem = {
  type: "urn:tidemark:problem:internal",
  title: "The service failed",
  status: 500,
  detail: "This is a fault of the service. It was logged.",
};

/** What a problem is called, such as `queue-full`. */
export const nameOf = ({ type }: Problem): string => type.slice(type.lastIndexOf(":") + 1);

/** The headers that go with every problem document. */
export const headersOf = (problem: Problem): Record<string, string> => ({
  "Content-Type": "application/problem+json",
  "Cache-Control": "no-store",
  ...SECURITY_HEADERS,
  ...(problem.status === 401 ? { "WWW-Authenticate": 'Bearer realm="tidemark"' } : {}),
  ...(problem.retry_after === undefined ? {} : { "Retry-After": String(problem.retry_after) }),
});

const bad = (name: string, title: string, detail: string): Problem => ({
  type: `urn:tidemark:problem:${name}`,
  title,
  status: 400,
  detail,
});

const invalid = (name: string, title: string, errors: ReadonlyArray<Issue>): Problem => ({
  ...bad(name, title, errors.length === 1 ? sentence(errors[0]) : `${errors.length} errors.`),
  errors,
});

const forbidden = (name: string, detail: string): Problem => ({
  type: `urn:tidemark:problem:${name}`,
  title: "The key does not allow this",
  status: 403,
  detail,
});

const limited = (name: string, title: string, seconds: number, why = ""): Problem => ({
  type: `urn:tidemark:problem:${name}`,
  title,
  status: 429,
  detail: `${why}Nothing of this request was accepted. Send it again in ${seconds} s.`,
  retry_after: seconds,
});

const later = (name: string, title: string, seconds: number): Problem => {
  const retryAfter = Math.max(1, Math.ceil(seconds));
  return {
    type: `urn:tidemark:problem:${name}`,
    title,
    status: 503,
    detail: `Nothing of this request was accepted as far as is known. Send it again in ${retryAfter} s.`,
    retry_after: retryAfter,
  };
};

const sentence = (issue: Issue | undefined): string => {
  if (issue === undefined) return "";
  const where = issue.index === null ? "" : `events[${issue.index}]`;
  const field = issue.path === "" ? "" : where === "" ? issue.path : `.${issue.path}`;
  return `${where}${field} ${issue.message}`.trim() + ".";
};

const given = (value: string): string => (value === "" ? "" : `, not ${value.slice(0, 100)}`);
