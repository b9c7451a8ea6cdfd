import type { Event } from "../event/event.ts";
import type { Range } from "./range.ts";

/** One of the most active users of an account. */
export interface ActiveUser {
  readonly userId: string;
  readonly events: number;
}

/** The activity of an account over a range of time. */
export interface Summary {
  /** The number of events by type. Only types that occurred. */
  readonly totals: ReadonlyMap<string, number>;
  /** The most active users, by events descending, then by user id in byte order. */
  readonly topUsers: ReadonlyArray<ActiveUser>;
  /** All events recorded before this instant are counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
  /** The checkpoint of the account's shard. Of two summaries, the one with the higher checkpoint is newer. */
  readonly checkpoint: number;
  /** The generation of the read models that it was read from. */
  readonly generation: number;
}

/** The counts of a summary, without the state of the log that they show. */
export type SummaryCounts = Pick<Summary, "totals" | "topUsers">;

/**
 * The definition of a summary: counts the events of one account one by one. Every faster implementation
 * is tested against this.
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
 * Orders strings by their UTF-8 bytes, which is the order of code points. JavaScript's `<` compares UTF-16
 * units instead, and puts U+FFFD after U+1F600.
 */
export const compareBytes = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // If the first units that differ are the second halves of two pairs with equal first halves, their order is that of
    // the code points.
    return (a.codePointAt(i) as number) - (b.codePointAt(i) as number);
  }
  return a.length - b.length;
};
