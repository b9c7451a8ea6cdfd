import type { Event } from "../event/event.ts";
import type { Priority } from "../queue/queue.ts";
import { makeRates, type Rates } from "./rates.ts";

/** A client or account that sends fewer events a second is never heavy. */
const HEAVY_MIN_PER_SECOND = 500;

/** It is heavy if it sends this share of all events, or this many times the average of its kind. */
const HEAVY_SHARE = 0.25;
const HEAVY_TIMES_AVERAGE = 5;

/** Decides which batches are queued behind others: if more arrives than drains, those who send most of it should wait. */
export interface Priorities {
  /** Counts the events of a batch for its client, and returns the priority of the batch. */
  readonly of: (client: string, events: ReadonlyArray<Event>, now: number) => Priority;
  /** The highest priority that a batch of this client can have now. Counts nothing. */
  readonly best: (client: string, now: number) => Priority;
}

/**
 * A batch of a heavy client is `low`, whatever its accounts, so a key gains nothing by spreading its events over many
 * accounts. A batch with mostly heavy accounts is `low` too. A batch with both is `lowest`, so the tenants of a heavy client
 * are kept apart as well.
 *
 * The accounts of heavy clients and those of other clients have separate averages: otherwise a flood of accounts with one
 * event each would make all other accounts heavy by comparison.
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
