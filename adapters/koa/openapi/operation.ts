import type { z } from "zod";

import { REQUEST_ID_CHARACTERS_MAX } from "../telemetry/request_id.ts";
import type { FailureName } from "./failures.ts";
import type { JsonSchema } from "./json_schema.ts";

/** What the OpenAPI document says about a route, apart from its method, path and access. */
export interface Operation {
  readonly operationId: string;
  readonly tag: Tag;
  readonly summary: string;
  /** CommonMark. */
  readonly description: string;
  /** The parameters in braces in the path. */
  readonly pathParameters?: Readonly<Record<string, PathParameter>>;
  readonly query?: z.ZodObject;
  readonly headers?: ReadonlyArray<object>;
  readonly body?: RequestBody;
  /** The responses that are not problems, by status. */
  readonly answers: Readonly<Record<number, OperationAnswer>>;
  /** What it can fail with, apart from what its access, its parameters and the connection imply. */
  readonly failures: ReadonlyArray<FailureName>;
}

interface PathParameter {
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example: string;
}

interface RequestBody {
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example: unknown;
}

export interface OperationAnswer {
  readonly description: string;
  readonly headers?: Headers;
  readonly links?: Readonly<Record<string, Link>>;
  /** JSON unless `type` says otherwise; without it the response has no body. */
  readonly content?: {
    readonly type?: string;
    readonly schema: JsonSchema;
    readonly example: unknown;
  };
}

/**
 * An operation to call next, with values from the request or the response.
 *
 * @see https://spec.openapis.org/oas/v3.1.1#runtime-expressions
 */
interface Link {
  readonly operationId: string;
  readonly description: string;
  /** Runtime expressions by parameter name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The groups of operations, in the order in which they are shown. */
export const TAGS = {
  Events: "Record events and follow their processing.",
  Accounts: "Query what happened in an account, and who did it.",
  "Dead letters": "Inspect, redrive or drop accepted events that could not be processed.",
  Service: "Health, metrics and documentation of the service.",
} as const;

type Tag = keyof typeof TAGS;

/** What every read of the database can fail with. */
export const READ_FAILURES = ["TooManyReads", "ReadsFull", "DeadlineExceeded"] as const;

export const IF_NONE_MATCH = {
  name: "If-None-Match",
  in: "header",
  required: false,
  description: "The `ETag` of a response that the client already has.",
  schema: { type: "string" },
} as const;

/** Response headers by name. */
export type Headers = Readonly<Record<string, Header | { readonly $ref: string }>>;

interface Header {
  readonly description: string;
  /** Whether every such response has it. */
  readonly required?: true;
  readonly schema: JsonSchema;
}

const integer = (minimum: number): JsonSchema => ({ type: "integer", minimum });

export const REQUEST_ID_EXAMPLE = "5f0c8d3b6a1e4f27-42";

const RATE_LIMIT: Readonly<Record<string, Header>> = {
  "RateLimit-Limit": {
    description: "Requests allowed per minute. Sent only if requests are counted.",
    schema: integer(1),
  },
  "RateLimit-Remaining": {
    description: "Requests left in this minute. Sent only if requests are counted.",
    schema: integer(0),
  },
  "RateLimit-Reset": {
    description:
      "Seconds until the full limit is available again. Sent only if requests are counted.",
    schema: integer(1),
  },
};

const REQUEST_ID: Readonly<Record<string, Header>> = {
  "X-Request-Id": {
    description:
      "Identifies the request: the client's `X-Request-Id`, or the trace ID of its `traceparent`, or a new ID.",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: REQUEST_ID_CHARACTERS_MAX },
  },
};

/** Headers that responses of many operations share. */
export const SHARED_HEADERS: Readonly<Record<string, Header>> = { ...RATE_LIMIT, ...REQUEST_ID };

const references = (headers: Readonly<Record<string, Header>>): Headers =>
  Object.fromEntries(
    Object.keys(headers).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );

/** Sent with every response. */
export const EVERY_ANSWER_HEADERS: Headers = references(REQUEST_ID);

/** Sent with every response to a request that is rate limited. */
export const RATE_LIMIT_HEADERS: Headers = references(RATE_LIMIT);

export const NO_STORE: Headers = {
  "Cache-Control": {
    description: "Always `no-store`: each response is read afresh.",
    required: true,
    schema: { type: "string", const: "no-store" },
  },
};

export const ETAG: Headers = {
  ETag: {
    description:
      "Identifies these bytes. Send it in `If-None-Match` to avoid receiving them again.",
    required: true,
    schema: { type: "string", pattern: '^"[A-Za-z0-9_-]+"$' },
  },
  "Cache-Control": {
    description: "Clients may store the response, but must revalidate it before each use.",
    required: true,
    schema: { type: "string" },
  },
};

export const RETRY_AFTER: Headers = {
  "Retry-After": {
    description: "Seconds to wait before retrying.",
    required: true,
    schema: integer(1),
  },
};
