/** The event types that a service accepts unless configured. */
export const EVENT_TYPES_DEFAULT = [
  "message_sent",
  "call_made",
  "form_submitted",
  "login",
  "custom",
] as const;

/** What any event type must look like, configured or not. */
export const EVENT_TYPE_PATTERN = /^[a-z][a-z0-9_.:-]{0,63}$/;

/** The set of event types that a service accepts: a list, or with `*` every well-formed name. */
export type EventTypes = ReadonlySet<string> | "*";

/** Says why `type` is not accepted and how to mend it, or returns undefined when it is. */
export const typeProblem = (type: unknown, allowed: EventTypes): string | undefined => {
  if (typeof type !== "string") return "must be a string";
  if (allowed === "*") {
    return EVENT_TYPE_PATTERN.test(type) ? undefined : `must match ${EVENT_TYPE_PATTERN.source}`;
  }
  if (allowed.has(type)) return undefined;
  return `must be one of ${[...allowed].join(", ")} (the service's EVENT_TYPES setting)`;
};
