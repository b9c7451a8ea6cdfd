import type { Event } from "../event/event.ts";
import type { Range } from "./window.ts";

/** One of the most active users of an account. */
export interface ActiveUser {
  readonly userId: string;
  readonly events: number;
}

/** What happened in an account over a range of time. */
export interface Summary {
  /** Number of events by type; only types that occurred. */
  readonly totals: ReadonlyMap<string, number>;
  /** The most active users: events descending, then user id ascending in byte order. */
  readonly topUsers: ReadonlyArray<ActiveUser>;
  /** Everything recorded before this instant is counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
  /** The checkpoint of the account's shard that it is of: of two summaries, the higher knows more. */
  readonly checkpoint: number;
  /** The generation of the read models that it was read from. */
  readonly generation: number;
}

/** What of a summary was counted; the rest says of which state of the log. */
export type SummaryCounts = Pick<Summary, "totals" | "topUsers">;

/**
 * The definition of a summary: counts the events of one account one by one. Every faster way to
 * answer is tested against this.
 *
 * @param events of one account, each identity once, in any order
 */
export const summarise = (
  events: ReadonlyArray<Pick<Event, "occurredAt" | "type" | "userId">>,
  range: Range,
  top: number,
): SummaryCounts => {
  const totals = new Map<string, number>();
  const users = new Map<string, number>();
  for (const { occurredAt, type, userId } of events) {
    if (occurredAt < range.from || occurredAt >= range.to) continue;
    totals.set(type, (totals.get(type) ?? 0) + 1);
    users.set(userId, (users.get(userId) ?? 0) + 1);
  }
  const topUsers = [...users]
    .map(([userId, count]): ActiveUser => ({ userId, events: count }))
    .toSorted(byActivity)
    .slice(0, top);
  return { totals, topUsers };
};

/** The order of `topUsers`. */
export const byActivity = (a: ActiveUser, b: ActiveUser): number =>
  b.events - a.events || compareBytes(a.userId, b.userId);

/**
 * Orders strings by their UTF-8 bytes, which is by code point. JavaScript's own `<` compares UTF-16
 * units, and puts U+FFFD behind U+1F600.
 */
export const compareBytes = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // The first unit that differs may be the second half of a pair whose first halves are equal; then
    // comparing the units is comparing the code points.
    return (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0);
  }
  return a.length - b.length;
};
