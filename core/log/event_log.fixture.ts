import { Effect } from "effect";

import { type Event, identityOf } from "../event/event.ts";
import { shardOf } from "../event/shard.ts";
import { AppendRefused, type EventLog, LogUnavailable, ShardBusy } from "./event_log.ts";

/** A log for tests of its callers: records what is appended, and fails on demand. */
export interface FakeLog {
  readonly service: EventLog["Service"];
  /** Its events, in the order of the appends. */
  readonly events: Event[];
  /** Every call of `append`. */
  readonly appends: { readonly shard: number; readonly events: ReadonlyArray<Event> }[];
  /** While true for a shard, its appends fail as unavailable. */
  unavailable: (shard: number) => boolean;
  /** While true for a shard, its appends fail as busy. */
  busy: (shard: number) => boolean;
  /** Events that it always refuses. */
  poison: (event: Event) => boolean;
  /** Runs at the start of each append: to count it, or to delay it. */
  onAppend: (shard: number) => Effect.Effect<void>;
}

export const makeFakeLog = (shards = 4): FakeLog => {
  const held = new Map<string, Event>();
  const fake: FakeLog = {
    events: [],
    appends: [],
    unavailable: () => false,
    busy: () => false,
    poison: () => false,
    onAppend: () => Effect.void,
    service: {
      shards,
      append: Effect.fnUntraced(function* (shard: number, events: ReadonlyArray<Event>) {
        fake.appends.push({ shard, events });
        yield* fake.onAppend(shard);
        if (fake.unavailable(shard))
          return yield* new LogUnavailable({ cause: "the log is unavailable" });
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

/** Dies if a call breaks the contract of the port: events of that shard, each identity once. */
const checkCall = (shard: number, events: ReadonlyArray<Event>, shards: number): void => {
  if (events.length === 0) throw new Error("an append without events");
  if (new Set(events.map(identityOf)).size < events.length) throw new Error("an identity twice");
  for (const { accountId } of events) {
    if (shardOf(accountId, shards) !== shard) throw new Error(`${accountId} in shard ${shard}`);
  }
};
