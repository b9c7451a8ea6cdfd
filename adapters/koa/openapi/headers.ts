import { REQUEST_ID_CHARACTERS_MAX } from "../telemetry/request_id.ts";
import type { JsonSchema } from "./json_schema.ts";

/** Headers of a response, by name. */
export type Headers = Readonly<Record<string, Header | { readonly $ref: string }>>;

interface Header {
  readonly description: string;
  /** Whether it is always there. */
  readonly required?: true;
  readonly schema: JsonSchema;
}

const integer = (minimum: number): JsonSchema => ({ type: "integer", minimum });

export const REQUEST_ID_EXAMPLE = "5f0c8d3b6a1e4f27-42";

/** Headers that count requests. */
const COUNTS: Readonly<Record<string, Header>> = {
  "RateLimit-Limit": {
    description: "How many requests a minute there are; where requests are counted.",
    schema: integer(1),
  },
  "RateLimit-Remaining": {
    description: "How many of them are left; where requests are counted.",
    schema: integer(0),
  },
  "RateLimit-Reset": {
    description: "When there are all again, in seconds; where requests are counted.",
    schema: integer(1),
  },
};

const REQUEST_ID: Readonly<Record<string, Header>> = {
  "X-Request-Id": {
    description:
      "Names the request: what the client sent in `X-Request-Id`, else the trace id of its `traceparent`, else a new one. " +
      "A summary that was kept, and the answer to a probe, have one only if the client sent it.",
    schema: { type: "string", minLength: 1, maxLength: REQUEST_ID_CHARACTERS_MAX },
  },
};

/** Headers that come with answers of many kinds. */
export const SHARED_HEADERS: Readonly<Record<string, Header>> = { ...COUNTS, ...REQUEST_ID };

const references = (headers: Readonly<Record<string, Header>>): Headers =>
  Object.fromEntries(
    Object.keys(headers).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );

/** What goes with every answer. */
export const EVERY_ANSWER_HEADERS: Headers = references(REQUEST_ID);

/** What goes with every answer to a request that may be counted. */
export const RATE_LIMIT_HEADERS: Headers = references(COUNTS);

export const NO_STORE: Headers = {
  "Cache-Control": {
    description: "Always `no-store`: it is read anew each time.",
    required: true,
    schema: { type: "string", const: "no-store" },
  },
};

export const ETAG: Headers = {
  ETag: {
    description: "Names these bytes; sent back in `If-None-Match` it saves them.",
    required: true,
    schema: { type: "string", pattern: '^"[A-Za-z0-9_-]+"$' },
  },
  "Cache-Control": {
    description: "It may be kept, and must be asked about each time.",
    required: true,
    schema: { type: "string" },
  },
};

export const LOCATION: Headers = {
  Location: {
    description: "Where to ask what becomes of it: `/jobs/{id}`.",
    required: true,
    schema: { type: "string", format: "uri-reference" },
  },
};

export const SERVER_TIMING: Headers = {
  "Server-Timing": {
    description:
      "Who answered, and how long it took in milliseconds: this process's memory (`lru`), `redis`, or the database (`miss`).",
    required: true,
    schema: { type: "string", pattern: '^cache;desc="(lru|redis|miss)";dur=[0-9.]+$' },
  },
};
