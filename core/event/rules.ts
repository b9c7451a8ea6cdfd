import { Context } from "effect";

import { EVENT_TYPES_DEFAULT, type EventTypes } from "./types.ts";

const DAY_MS = 86_400_000;

/** The most bytes of one event, as compact JSON in UTF-8. */
export const EVENT_BYTES_MAX = 32 * 1024;

/** What a service accepts as an event beyond its shape. */
export interface EventRules {
  readonly types: EventTypes;
  /** How far a timestamp may lie ahead of the service's clock, in milliseconds. */
  readonly futureMaxMs: number;
  /** How far a timestamp may lie behind the service's clock, in milliseconds. */
  readonly ageMaxMs: number;
}

export const EVENT_RULES_DEFAULT: EventRules = {
  types: new Set(EVENT_TYPES_DEFAULT),
  futureMaxMs: 5 * 60_000,
  // Ten years, leap days included.
  ageMaxMs: 3_653 * DAY_MS,
};

/** The rules in force; a service provides its own from its configuration. */
export const EventRules = Context.Reference<EventRules>("tidemark/event/EventRules", {
  defaultValue: () => EVENT_RULES_DEFAULT,
});
