import { Effect } from "effect";

import { collapse } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { shardOf } from "../event/shard.ts";
import type { Projection } from "../projection/projection.ts";
import type { EventLog } from "./event_log.ts";

interface Opened {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
}

/** What the suites of the read side do with a log: fill it, account by account, and fold it. */
export const accountLog = (opened: () => Opened) => {
  let namespaces = 0;
  const shardFor = (accountId: string): number => shardOf(accountId, opened().log.shards);
  return {
    /** A new account for each use, so that tests can share the log. */
    freshAccount: (): string => `account-${++namespaces}`,
    shardFor,
    /** Appends events of one account. */
    append: async (events: ReadonlyArray<Event>): Promise<void> => {
      const [first] = events;
      if (first === undefined) return;
      const shard = shardFor(first.accountId);
      await Effect.runPromise(opened().log.append(shard, collapse(events).events));
    },
    project: async (accountId: string, limit = 1_000_000): Promise<void> => {
      await Effect.runPromise(opened().projection.step(shardFor(accountId), limit));
    },
  };
};
