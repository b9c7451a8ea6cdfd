import type { RecordedEvent } from "../../../core/event/event.ts";
import type { EventTypes } from "../../../core/event/rules.ts";

export const HOUR_MS = 3_600_000;

/** The events that all examples of the OpenAPI document are about. */
export interface Example {
  /** Unix milliseconds. */
  readonly now: number;
  readonly asOf: number;
  readonly jobId: string;
  /** The first event of the batch as it is sent. */
  readonly first: { readonly eventId: string; readonly userId: string; readonly type: string };
  /** The second event of the batch as it is recorded. */
  readonly second: RecordedEvent;
  /** Events by type. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Makes the examples from accepted event types.
 *
 * @param now Unix milliseconds. The batch happens a moment before, with event IDs that no other
 *   time yields. So a client that sends the example finds it in the summary of the last 24 hours,
 *   and never conflicts with an earlier one.
 */
export const exampleOf = (types: EventTypes, now: number): Example => {
  const [first = "login", second = first] = types === "*" ? ["login", "custom"] : [...types];
  const id = (n: number): string => `${now.toString(36)}-${n}`;
  return {
    now,
    asOf: now + 3,
    jobId: "01a20253-aa0c-79c1-b28a-b136a2df5001",
    first: { eventId: id(1), userId: "ada", type: first },
    second: {
      accountId: "acme",
      eventId: id(2),
      userId: "bob",
      type: second,
      occurredAt: now - (now % 1_000),
      metadata: '{"plan":"pro"}',
      fingerprint: 0,
      shard: 0,
      position: 2,
      recordedAt: now,
    },
    counts:
      first === second
        ? new Map([[first, 2]])
        : new Map([
            [first, 1],
            [second, 1],
          ]),
  };
};
