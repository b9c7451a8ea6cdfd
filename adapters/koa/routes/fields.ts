import { z } from "zod";

import type { Event } from "../../../core/event/event.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/rules.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import { ACCOUNT_ID_SCHEMA } from "../openapi/event_schema.ts";

/**
 * Fields that response bodies of several routes have. Tests check every response against these
 * schemas. Bodies may gain fields later; clients must ignore fields that they do not know.
 */

export const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ format: "date-time" });

export const count = z.number().min(0).meta({ type: "integer" });

export const identifier = z.string().min(1);

export const uuid = z.string().meta({ format: "uuid" });

export const totals = z.record(z.string().regex(EVENT_TYPE_PATTERN), count);

export const queued = count.meta({
  description: "Number of events in the request, including repeated ones.",
});

export const retries = count.meta({ description: "Attempts after the first." });

export const failure = z.string().nullable().meta({ description: "Why the last attempt failed." });

export const asOf = instant.meta({
  description: "Everything recorded before this instant is counted.",
});

/** An event as it was sent. */
export const SentEvent = z.object({
  event_id: identifier,
  account_id: identifier,
  user_id: identifier,
  type: z.string().regex(EVENT_TYPE_PATTERN),
  timestamp: instant.meta({ description: "When it happened." }),
  metadata: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: "As it was sent; absent if there was none." }),
});

export const sentEvent = (event: Event): z.input<typeof SentEvent> => ({
  event_id: event.eventId,
  account_id: event.accountId,
  user_id: event.userId,
  type: event.type,
  timestamp: formatTimestamp(event.occurredAt),
  ...(event.metadata === null
    ? {}
    : { metadata: JSON.parse(event.metadata) as Record<string, unknown> }),
});

/** The path parameter of routes of an account. */
export const ACCOUNT_PARAMETER = {
  id: {
    description: "The account ID, percent-encoded.",
    schema: ACCOUNT_ID_SCHEMA,
    example: "acme",
  },
};
