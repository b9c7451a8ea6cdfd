import type { RecordedEvent } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { NO_ROWS, READ_MODELS, type Rows } from "../../core/projection/read_models.ts";

/** The log and the read models of a service that lives in memory. */
export interface MemoryStore {
  readonly shards: ReadonlyArray<MemoryShard>;
  /** The number of the generation that `rows` and `checkpoint` of the shards are of. */
  generation: number;
}

export interface MemoryShard {
  readonly events: RecordedEvent[];
  /** Index into `events` by identity. */
  readonly identities: Map<string, number>;
  checkpoint: number;
  /** The rows of each read model, by its name. */
  readonly rows: Map<string, Rows>;
  /** Positions that were skipped, and why. */
  readonly poisoned: Map<number, string>;
}

export const makeMemoryStore = (shards: number): MemoryStore => ({
  generation: 1,
  shards: Array.from({ length: shards }, () => ({
    events: [],
    identities: new Map(),
    checkpoint: 0,
    rows: new Map(READ_MODELS.map(({ name }) => [name, NO_ROWS])),
    poisoned: new Map(),
  })),
});

export const shardIn = (store: MemoryStore, shard: number): MemoryShard => {
  const found = store.shards[shard];
  if (found === undefined) throw new Error(`no shard ${shard}`);
  return found;
};

/** The events of an account that are folded, and of which state of the log that is. */
export interface Folded {
  readonly events: ReadonlyArray<RecordedEvent>;
  readonly checkpoint: number;
  readonly generation: number;
  /** Everything recorded before this instant is folded, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

export const foldedOf = (store: MemoryStore, accountId: string, now: number): Folded => {
  const { events, checkpoint } = shardIn(store, shardOf(accountId, store.shards.length));
  return {
    events: events.slice(0, checkpoint).filter((event) => event.accountId === accountId),
    checkpoint,
    generation: store.generation,
    asOf: events[checkpoint]?.recordedAt ?? now,
  };
};
