import { Result } from "effect";
import { z } from "zod";

import { identifierProblem } from "../../core/event/identifier.ts";
import { parseTimestamp } from "../../core/event/timestamp.ts";
import {
  type Period,
  TOP_USERS_DEFAULT,
  TOP_USERS_MAX,
} from "../../core/query/summarise_account.ts";
import { RANGE_DAYS_MAX, RANGE_MS_MAX, WINDOW_NAMES } from "../../core/summary/window.ts";
import type { RequestFault } from "./problem.ts";

/** How many accounts a sample names unless asked, and at most. */
const SAMPLE_DEFAULT = 10;
const SAMPLE_MAX = 100;

const positiveInteger = z
  .string()
  .regex(/^[1-9][0-9]{0,8}$/, "must be a positive integer")
  .transform(Number);

const timestamp = z.string().transform((text, context) => {
  // An unescaped + reaches us as a space.
  const ms = parseTimestamp(text.replace(" ", "+"));
  if (ms !== undefined) return ms;
  context.addIssue("must be an ISO 8601 timestamp with an offset, such as 2026-01-31T00:00:00Z");
  return z.NEVER;
});

const summaryParameters = z
  .strictObject({
    window: z.enum(WINDOW_NAMES, `must be one of ${WINDOW_NAMES.join(", ")}`).optional(),
    from: timestamp.optional(),
    to: timestamp.optional(),
    top: positiveInteger
      .refine((top) => top <= TOP_USERS_MAX, `must be at most ${TOP_USERS_MAX}`)
      .default(TOP_USERS_DEFAULT),
  })
  .transform(({ window, from, to, top }, context): { period: Period; top: number } => {
    const refuse = (path: string, message: string): never => {
      context.addIssue({ code: "custom", path: [path], message });
      return z.NEVER;
    };
    if (from === undefined && to === undefined) return { period: window ?? "last_24h", top };
    if (window !== undefined)
      return refuse("window", "must not be given together with from and to");
    if (from === undefined) return refuse("from", "is missing beside to");
    if (to === undefined) return refuse("to", "is missing beside from");
    if (from >= to) return refuse("to", "must be after from");
    if (to - from > RANGE_MS_MAX) {
      return refuse("to", `must be at most ${RANGE_DAYS_MAX} days after from`);
    }
    return { period: { from, to }, top };
  });

const sampleParameters = z.strictObject({
  limit: positiveInteger.transform((limit) => Math.min(limit, SAMPLE_MAX)).default(SAMPLE_DEFAULT),
});

type Query = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>;

export const readSummaryParameters = (query: Query) => read(summaryParameters, query);

export const readSampleParameters = (query: Query) => read(sampleParameters, query);

/** An account id out of the path. */
export const readAccountId = (id: string): Result.Result<string, RequestFault> => {
  const message = identifierProblem(id);
  return message === undefined
    ? Result.succeed(id)
    : Result.fail({
        _tag: "ParametersInvalid",
        issues: [{ index: null, path: "account_id", message }],
      });
};

const read = <A>(schema: z.ZodType<A>, query: Query): Result.Result<A, RequestFault> => {
  const parsed = schema.safeParse(query);
  if (parsed.success) return Result.succeed(parsed.data);
  const issues = parsed.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({ index: null, path: key, message: "is not a parameter here" }))
      : [{ index: null, path: issue.path.join("."), message: messageOf(issue) }],
  );
  return Result.fail({ _tag: "ParametersInvalid", issues });
};

const messageOf = (issue: z.core.$ZodIssue): string =>
  issue.code === "invalid_type" ? "must be given once" : issue.message;
