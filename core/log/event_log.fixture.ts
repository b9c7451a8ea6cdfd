import { Effect } from "effect";

import { type Event, identityOf } from "../event/event.ts";
import { shardOf } from "../event/shard.ts";
import { AppendRefused, type EventLog, LogUnavailable, ShardBusy } from "./event_log.ts";

/** A log for tests of what stands before it: keeps what is appended, and fails as it is told. */
export interface FakeLog {
  readonly service: EventLog["Service"];
  /** What it holds, in the order of the appends. */
  readonly events: Event[];
  /** Every call of `append` that it began. */
  readonly appends: { readonly shard: number; readonly events: ReadonlyArray<Event> }[];
  /** While true for a shard, nothing can be appended to it. */
  away: (shard: number) => boolean;
  /** While true for a shard, somebody else holds it. */
  busy: (shard: number) => boolean;
  /** Events that it will never take. */
  poison: (event: Event) => boolean;
  /** Runs before each append is decided: to count, to hold it up. */
  onAppend: (shard: number) => Effect.Effect<void>;
}

export const makeFakeLog = (shards = 4): FakeLog => {
  const held = new Map<string, Event>();
  const fake: FakeLog = {
    events: [],
    appends: [],
    away: () => false,
    busy: () => false,
    poison: () => false,
    onAppend: () => Effect.void,
    service: {
      shards,
      append: Effect.fnUntraced(function* (shard: number, events: ReadonlyArray<Event>) {
        fake.appends.push({ shard, events });
        yield* fake.onAppend(shard);
        if (fake.away(shard)) return yield* new LogUnavailable({ cause: "the log is away" });
        if (fake.busy(shard)) return yield* new ShardBusy({ shard });
        checkCall(shard, events, shards);
        if (events.some(fake.poison)) {
          return yield* new AppendRefused({ shard, cause: new Error("it is poison") });
        }
        const duplicates: number[] = [];
        const conflicts: number[] = [];
        for (const [i, event] of events.entries()) {
          const earlier = held.get(identityOf(event));
          if (earlier === undefined) {
            held.set(identityOf(event), event);
            fake.events.push(event);
          } else if (earlier.fingerprint === event.fingerprint) duplicates.push(i);
          else conflicts.push(i);
        }
        return { duplicates, conflicts };
      }),
      heads: Effect.die("not needed"),
      read: () => Effect.die("not needed"),
    },
  };
  return fake;
};

/** Dies when a call is not what the port asks for: events of that shard, each identity once. */
const checkCall = (shard: number, events: ReadonlyArray<Event>, shards: number): void => {
  if (events.length === 0) throw new Error("an append of nothing");
  if (new Set(events.map(identityOf)).size < events.length) throw new Error("an identity twice");
  for (const { accountId } of events) {
    if (shardOf(accountId, shards) !== shard) throw new Error(`${accountId} in shard ${shard}`);
  }
};
