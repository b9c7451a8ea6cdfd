import { Result } from "effect";
import type { Context } from "koa";
import { z } from "zod";

import { ISSUES_MAX } from "../../../core/command/decode_batch.ts";
import type { Issue } from "../../../core/event/decode.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/rules.ts";
import { parseTimestamp } from "../../../core/event/timestamp.ts";
import { present } from "../../../core/invariant.ts";
import type { RequestFault } from "../response/problem.ts";

export const positiveInteger = z
  .string()
  .regex(/^[1-9][0-9]*$/, "must be a positive integer")
  .transform(Number);

/** The type of a positive integer in the OpenAPI document; it arrives as text. */
export const INTEGER = { type: "integer", minimum: 1 } as const;

export const positiveIntegerUpTo = (max: number) =>
  positiveInteger.pipe(z.number().max(max, `must be at most ${max}`).meta(INTEGER));

// An offset can move the last hours of 9999 into 10000, which ISO 8601 writes differently.
const TIMESTAMP_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** An optional timestamp, in Unix milliseconds. */
export const instantParameter = z
  .string()
  .transform((text, context) => {
    // An unescaped + arrives as a space.
    const ms = parseTimestamp(text.replace(" ", "+"));
    if (ms !== undefined && ms <= TIMESTAMP_MAX) return ms;
    context.addIssue("must be an ISO 8601 timestamp with an offset, such as 2026-01-31T00:00:00Z");
    return z.NEVER;
  })
  .meta({ type: "string", format: "date-time" })
  .optional();

/** A range in the OpenAPI document that contains its example events. */
export const FROM_EXAMPLE = "2026-11-22T07:00:00Z";
export const TO_EXAMPLE = "2026-11-22T09:00:00Z";

export const typeParameter = z
  .string()
  .regex(EVENT_TYPE_PATTERN, `must match ${EVENT_TYPE_PATTERN.source}`)
  .optional();

/** In a transform: refuses a parameter because of others. */
export const refuseParameter = (context: z.RefinementCtx, name: string, message: string): never => {
  context.addIssue({ code: "custom", path: [name], message });
  return z.NEVER;
};

export const invalidParameter = (path: string, message: string): RequestFault => ({
  _tag: "ParametersInvalid",
  issues: [{ index: null, path, message }],
});

/** A parameter of the route's path, decoded. */
export const pathParameter = (ctx: Context, name: string): string => {
  const parameters = ctx["params"] as Readonly<Record<string, string | undefined>>;
  return present(parameters[name], `the route of ${ctx.path} must have the parameter {${name}}`);
};

/** Parses a query string. Koa's own parser takes time quadratic in the number of parameters. */
export const readQuery = <A>(
  schema: z.ZodType<A>,
  query: string,
): Result.Result<A, RequestFault> => {
  const values = new Map<string, string>();
  const issues: Issue[] = [];
  for (const [name, value] of new URLSearchParams(query)) {
    if (values.has(name)) issues.push({ index: null, path: name, message: "must be given once" });
    values.set(name, value);
  }
  const parsed = schema.safeParse(Object.fromEntries(values));
  if (parsed.success && issues.length === 0) return Result.succeed(parsed.data);
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      const message = "is not a parameter here";
      issues.push(...issue.keys.map((path) => ({ index: null, path, message })));
    } else issues.push({ index: null, path: issue.path.join("."), message: issue.message });
  }
  return Result.fail({ _tag: "ParametersInvalid", issues: issues.slice(0, ISSUES_MAX) });
};
