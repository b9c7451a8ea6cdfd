import type { Event } from "./event.ts";
import { hash53 } from "./hash.ts";

/**
 * A 53-bit hash of everything but the identity of an event: tells a duplicate from a conflict. It is
 * stored with every event, so it must never change.
 *
 * @param metadata the event's metadata as canonical JSON, or empty where there is none
 */
export const fingerprintOf = (
  { userId, type, occurredAt }: Pick<Event, "userId" | "type" | "occurredAt">,
  metadata: string,
): number => hash53(`${userId}\n${type}\n${occurredAt}\n${metadata}`);
