import type { z } from "zod";

import type { Scope } from "../../../core/access/principal.ts";
import type { FailureName } from "./failures.ts";
import type { Headers } from "./headers.ts";
import type { JsonSchema } from "./json_schema.ts";

/** One way to ask the service, as the OpenAPI document tells it. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "delete";
  /** Such as `/jobs/{id}`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: Tag;
  readonly summary: string;
  /** CommonMark; the reference page knows paragraphs and `code` of it. */
  readonly description: string;
  /** Who may ask: whoever has one of these scopes. "public" is everybody, with a key or without. */
  readonly scopes: ReadonlyArray<Scope> | "public";
  /** What stands in the braces of the path. */
  readonly pathParameters?: Readonly<Record<string, PathParameter>>;
  readonly query?: z.ZodObject;
  readonly headers?: ReadonlyArray<object>;
  readonly body?: RequestBody;
  /** The answers that are no problem, by status. */
  readonly answers: Readonly<Record<number, OperationAnswer>>;
  /** What it can fail with beside what every operation can. */
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
  /** What an answer leads to, by name. */
  readonly links?: Readonly<Record<string, Link>>;
  /** JSON unless it says so; without it there is no body. */
  readonly content?: {
    readonly type?: string;
    readonly schema: JsonSchema;
    readonly example: unknown;
  };
}

/**
 * An operation that can be asked next, with values out of the request or the answer.
 *
 * @see https://spec.openapis.org/oas/v3.1.1#runtime-expressions
 */
interface Link {
  readonly operationId: string;
  readonly description: string;
  /** Runtime expressions by the names of the parameters that they are for. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What operations are grouped by, in the order in which they are shown. */
export const TAGS = {
  Events: "What happened goes in here.",
  Accounts: "What happened in an account, and who did it.",
  "Dead letters": "What was accepted and could not be counted, for an operator to deal with.",
  Service: "How the service is, and what it can be asked.",
} as const;

type Tag = keyof typeof TAGS;

/** What a client sends that has an answer already. */
export const IF_NONE_MATCH = {
  name: "If-None-Match",
  in: "header",
  required: false,
  description: "The `ETag` of an answer that the client has.",
  schema: { type: "string" },
} as const;
