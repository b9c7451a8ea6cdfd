import { z } from "zod";

import { EVENT_TYPE_PATTERN } from "../../../core/event/types.ts";
import { INTERVAL_NAMES } from "../../../core/summary/bucket.ts";
import { WINDOW_NAMES } from "../../../core/summary/window.ts";

/**
 * The bodies that the API answers with. `present.ts` is held to these types by the compiler, and tests hold
 * every answer that they get against the schemas. A body may get more fields later; a reader passes over
 * those that it does not know.
 */

const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ format: "date-time" });

const count = z.number().min(0).meta({ type: "integer" });

const identifier = z.string().min(1);

const totals = z.record(z.string().regex(EVENT_TYPE_PATTERN), count);

const asOf = instant.meta({
  description: "Everything that was recorded before this instant is counted.",
});

const accepted = z.object({
  statusCode: z.literal(202),
  jobId: z.string().meta({ format: "uuid", description: "Whom to ask for: `GET /jobs/{id}`." }),
  queued: count.meta({ description: "How many events the request held, repetitions included." }),
});

const job = z.object({
  job_id: z.string().meta({ format: "uuid" }),
  state: z.enum(["queued", "processing", "retrying", "completed", "dead"]).meta({
    description:
      "`queued`: waits for a worker. `processing`: a worker has it. `retrying`: an attempt failed, another follows. `completed`: its events are in the log. `dead`: every attempt failed, and somebody has to look.",
  }),
  queued: count.meta({ description: "How many events the request held, repetitions included." }),
  appended: count.meta({ description: "Events that are in the log by this job." }),
  duplicates: count.meta({ description: "Events that were in the log already, just the same." }),
  conflicts: count.meta({
    description: "Events whose id was in the log with another payload, which stays.",
  }),
  retries: count.meta({ description: "Attempts after the first." }),
  queued_at: instant,
  ended_at: instant.nullable(),
  failure: z.string().nullable().meta({ description: "Why the last attempt failed." }),
});

const accounts = z.object({ account_ids: z.array(identifier) });

const summary = z.object({
  account_id: identifier,
  window: z.enum([...WINDOW_NAMES, "custom"]).meta({
    description: "What was asked for; `custom` is a range.",
  }),
  totals: totals.meta({ description: "Events by type; types that did not occur are not there." }),
  top_users: z.array(z.object({ user_id: identifier, events: count })).meta({
    description: "The most events first, and users with as many in the byte order of their ids.",
  }),
  from: instant,
  to: instant,
  as_of: asOf,
});

const timeseries = z.object({
  account_id: identifier,
  interval: z.enum(INTERVAL_NAMES),
  points: z.array(z.object({ start: instant, totals })).meta({
    description:
      "Every bucket of the range, with a zero for each type that occurs in another one or was asked for. The first and the last are partial where the range does not end with them.",
  }),
  from: instant,
  to: instant,
  as_of: asOf,
});

const recordedEvent = z.object({
  event_id: identifier,
  account_id: identifier,
  user_id: identifier,
  type: z.string().regex(EVENT_TYPE_PATTERN),
  timestamp: instant.meta({ description: "When it happened." }),
  metadata: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: "As it was sent; not there if there was none." }),
  recorded_at: instant.meta({ description: "When the log took it in." }),
});

const eventPage = z.object({
  account_id: identifier,
  events: z.array(recordedEvent).meta({
    description:
      "The newest first. A page may have fewer than asked for, or none, and not be the last.",
  }),
  next_cursor: z.string().nullable().meta({
    description: "The `cursor` of the next page; null at the end, and only there.",
  }),
  as_of: instant.meta({
    description:
      "Everything that was recorded before this instant is in the list; the same on each page.",
  }),
});

const deadLetterFields = {
  id: z.string().meta({
    format: "uuid",
    description: "Names it: the id of its job, or one of its own where several jobs died together.",
  }),
  events: count.nullable().meta({ description: "How many it holds; null if that cannot be told." }),
  retries: count.meta({ description: "Attempts after the first." }),
  failure: z.string().nullable().meta({ description: "Why the last attempt failed." }),
  queued_at: instant,
  died_at: instant,
};

const listedDeadLetter = z.object(deadLetterFields);

const deadLetterPage = z.object({
  dead_letters: z.array(listedDeadLetter),
  more: z.boolean().meta({ description: "Whether there are more than these." }),
});

const deadEvent = recordedEvent.omit({ recorded_at: true });

const deadLetter = z.object({
  ...deadLetterFields,
  jobs: z
    .array(z.object({ job_id: z.string().meta({ format: "uuid" }), events: z.array(deadEvent) }))
    .nullable()
    .meta({ description: "Its jobs and their events; null if this version cannot read them." }),
});

const redriven = z.object({ id: z.string().meta({ description: "What was asked for." }) });

const health = z.object({ status: z.literal("ok") });

const readiness = z.object({
  status: z.enum(["ready", "not_ready"]),
  checks: z.record(z.string(), z.string()).meta({
    description: 'By what was looked at: "ok", or what is wrong.',
  }),
});

const issue = z.object({
  index: z
    .number()
    .min(0)
    .meta({ type: "integer" })
    .nullable()
    .meta({ description: "Which event of the batch, from 0; null when it is about none of them." }),
  path: z.string().meta({
    description: "Which field or parameter, such as `timestamp` or `metadata.tags[2]`.",
  }),
  message: z.string().min(1).meta({ description: "What is wrong, and how to mend it." }),
});

const problem = z
  .object({
    type: z
      .string()
      .regex(/^urn:tidemark:problem:[a-z-]+$/)
      .meta({ description: "Stable: programs may compare it." }),
    title: z.string().min(1),
    status: z.number().min(400).max(599).meta({ type: "integer" }),
    detail: z.string().min(1),
    errors: z.array(issue).optional().meta({
      description: "For invalid input: what is wrong where, of at most 100 things.",
    }),
    retry_after: z.number().min(1).optional().meta({
      type: "integer",
      description: "When to come again, in seconds. The same as `Retry-After`.",
    }),
    request_id: z.string().min(1).meta({
      description:
        "Names the request, as `X-Request-Id` does; the service's log lines about it have it.",
    }),
  })
  .meta({ description: "A problem document (RFC 9457)." });

/** By their names in the document. */
export const BODIES = {
  Accepted: accepted,
  Job: job,
  Accounts: accounts,
  Summary: summary,
  Timeseries: timeseries,
  EventPage: eventPage,
  RecordedEvent: recordedEvent,
  // Not DeadLetters: a model must not be named as its field is, or generated Python assigns one to the other.
  DeadLetterPage: deadLetterPage,
  ListedDeadLetter: listedDeadLetter,
  DeadLetter: deadLetter,
  DeadEvent: deadEvent,
  Redriven: redriven,
  Health: health,
  Readiness: readiness,
  Problem: problem,
  Issue: issue,
};

/** A body as it is before it becomes JSON. */
export type Body<Name extends keyof typeof BODIES> = z.input<(typeof BODIES)[Name]>;
