import type { Event } from "../event/event.ts";
import type { Priority } from "../queue/queue.ts";
import { makeRates, type Rates } from "./rates.ts";

/** Nobody is heavy who sends fewer events a second than this. */
const HEAVY_MIN_PER_SECOND = 500;

/** Heavy is who sends such a share of everything, or so many times the average of its kind. */
const HEAVY_SHARE = 0.25;
const HEAVY_TIMES_AVERAGE = 5;

/**
 * Decides which batches wait behind others. When more comes in than is worked off somebody has to wait, and it
 * should be those who send most of it.
 */
export interface Priorities {
  /** Counts the events of a batch as sent by a client, and returns the priority of the batch. */
  readonly of: (client: string, events: ReadonlyArray<Event>, now: number) => Priority;
  /** The best priority that a batch of this client can have now. Counts nothing. */
  readonly best: (client: string, now: number) => Priority;
}

/**
 * A batch of a heavy client is `low`, whichever accounts it is about, so that a key which spreads its events over any
 * number of accounts gains nothing. So is a batch that is mostly of heavy accounts; one of a heavy client that is
 * also mostly of heavy accounts is `lowest`. Thus a client that sends for many tenants keeps them apart, too.
 *
 * Accounts of heavy clients and accounts of the others have averages of their own: a flood of accounts with an event
 * each would otherwise make everybody else's accounts heavy by comparison.
 */
export const makePriorities = (): Priorities => {
  const clients = makeRates();
  const accountsOfHeavy = makeRates();
  const accountsOfOthers = makeRates();

  const isHeavy = (rates: Rates, name: string, now: number): boolean => {
    const rate = rates.of(name, now);
    if (rate < HEAVY_MIN_PER_SECOND) return false;
    const share = clients.total(now) * HEAVY_SHARE;
    return rate >= Math.min(share, rates.average(now) * HEAVY_TIMES_AVERAGE);
  };

  return {
    of: (client, events, now) => {
      clients.add(client, events.length, now);
      const isClientHeavy = isHeavy(clients, client, now);
      const accounts = isClientHeavy ? accountsOfHeavy : accountsOfOthers;
      let heavy = 0;
      for (const [accountId, count] of countByAccount(events)) {
        accounts.add(accountId, count, now);
        if (isHeavy(accounts, accountId, now)) heavy += count;
      }
      const isMostlyHeavy = heavy * 2 > events.length;
      if (isClientHeavy) return isMostlyHeavy ? "lowest" : "low";
      return isMostlyHeavy ? "low" : "normal";
    },
    best: (client, now) => (isHeavy(clients, client, now) ? "low" : "normal"),
  };
};

const countByAccount = (events: ReadonlyArray<Event>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { accountId } of events) counts.set(accountId, (counts.get(accountId) ?? 0) + 1);
  return counts;
};
