import { Context } from "effect";

import { DAY_MS, MINUTE_MS } from "../time.ts";

/** The most bytes of one event, as compact JSON in UTF-8. */
export const EVENT_BYTES_MAX = 32 * 1024;

/** The event types that a service accepts by default. */
export const EVENT_TYPES_DEFAULT = [
  "message_sent",
  "call_made",
  "form_submitted",
  "login",
  "custom",
] as const;

/** The form of every event type, configured or not. */
export const EVENT_TYPE_PATTERN = /^[a-z][a-z0-9_.:-]{0,63}$/;

/** The event types that a service accepts: a list, or `*` for every well-formed name. */
export type EventTypes = ReadonlySet<string> | "*";

/** What a service accepts as an event, beyond its shape. */
export interface EventRules {
  readonly types: EventTypes;
  /** How far a timestamp may be ahead of the service's clock, in milliseconds. */
  readonly futureMaxMs: number;
  /** How far a timestamp may be behind the service's clock, in milliseconds. */
  readonly ageMaxMs: number;
}

export const EVENT_RULES_DEFAULT: EventRules = {
  types: new Set(EVENT_TYPES_DEFAULT),
  futureMaxMs: 5 * MINUTE_MS,
  // Ten years, leap days included.
  ageMaxMs: 3_653 * DAY_MS,
};

/** The rules in force. A service provides its own from its configuration. */
export const EventRules = Context.Reference<EventRules>("tidemark/event/EventRules", {
  defaultValue: () => EVENT_RULES_DEFAULT,
});

/** Why `type` is not accepted and how to fix it; undefined if it is accepted. */
export const typeProblem = (type: unknown, allowed: EventTypes): string | undefined => {
  if (typeof type !== "string") return "must be a string";
  if (allowed === "*") {
    return EVENT_TYPE_PATTERN.test(type) ? undefined : `must match ${EVENT_TYPE_PATTERN.source}`;
  }
  if (allowed.has(type)) return undefined;
  return `must be one of ${[...allowed].join(", ")} (the service's EVENT_TYPES setting)`;
};
