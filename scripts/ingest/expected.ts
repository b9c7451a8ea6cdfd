import { compareBytes } from "../../core/summary/summary.ts";
import type { SentEvent } from "../shared/activity.ts";

/** The part of a summary that is compared. */
export interface Counted {
  readonly totals: Readonly<Record<string, number>>;
  readonly top_users: ReadonlyArray<{ readonly user_id: string; readonly events: number }>;
}

/** Counts events in the slow and obvious way, each id of an account once. */
export const countActivity = (
  events: Iterable<SentEvent>,
  top: number,
): ReadonlyMap<string, Counted> => {
  const seen = new Set<string>();
  const accounts = new Map<string, { types: Map<string, number>; users: Map<string, number> }>();
  for (const { account_id, event_id, type, user_id } of events) {
    const identity = `${account_id}\n${event_id}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    let account = accounts.get(account_id);
    if (account === undefined) {
      account = { types: new Map(), users: new Map() };
      accounts.set(account_id, account);
    }
    account.types.set(type, (account.types.get(type) ?? 0) + 1);
    account.users.set(user_id, (account.users.get(user_id) ?? 0) + 1);
  }
  return new Map(
    [...accounts].map(([accountId, { types, users }]) => [
      accountId,
      {
        totals: Object.fromEntries([...types].toSorted(([a], [b]) => compareBytes(a, b))),
        top_users: [...users]
          .map(([user_id, count]) => ({ user_id, events: count }))
          .toSorted((a, b) => b.events - a.events || compareBytes(a.user_id, b.user_id))
          .slice(0, top),
      },
    ]),
  );
};
