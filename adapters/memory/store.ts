import type { RecordedEvent } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import {
  fold,
  NO_ROWS,
  READ_MODELS,
  type ReadModel,
  type Rows,
} from "../../core/projection/read_models.ts";

/** The log and the read models of a service that lives in memory. */
export interface MemoryStore {
  readonly shards: ReadonlyArray<MemoryShard>;
  /** The generation that the read models of the shards belong to. */
  generation: number;
}

export interface MemoryShard extends ReadModelState {
  readonly events: RecordedEvent[];
  /** Index into `events` by identity. */
  readonly identities: Map<string, number>;
}

/** The read models of one shard in one generation. */
export interface ReadModelState {
  checkpoint: number;
  /** The rows of each read model, by its name. */
  readonly rows: Map<string, Rows>;
  /** The positions that were skipped, with the reason. */
  readonly poisoned: Map<number, string>;
}

export const makeMemoryStore = (shards: number): MemoryStore => ({
  generation: 1,
  shards: Array.from({ length: shards }, () => ({
    events: [],
    identities: new Map(),
    ...makeReadModelState(),
  })),
});

export const makeReadModelState = (): ReadModelState => ({
  checkpoint: 0,
  rows: new Map(READ_MODELS.map(({ name }) => [name, NO_ROWS])),
  poisoned: new Map(),
});

export const shardIn = (store: MemoryStore, shard: number): MemoryShard =>
  present(store.shards[shard], `no shard ${shard} among ${store.shards.length}`);

export const rowsIn = ({ rows }: Pick<ReadModelState, "rows">, { name }: ReadModel): Rows =>
  present(rows.get(name), `no rows of the read model ${name}`);

/** Folds at most `limit` events after the checkpoint into the read models, and returns them. */
export const foldNext = (
  state: ReadModelState,
  { events }: MemoryShard,
  limit: number,
): ReadonlyArray<RecordedEvent> => {
  const next = events.slice(state.checkpoint, state.checkpoint + limit);
  for (const model of READ_MODELS) {
    state.rows.set(model.name, fold(model, rowsIn(state, model), next));
  }
  state.checkpoint += next.length;
  return next;
};

/** The folded events of an account, and the state of the log that they belong to. */
export interface FoldedEvents {
  readonly events: ReadonlyArray<RecordedEvent>;
  readonly checkpoint: number;
  readonly generation: number;
  /** Everything recorded before this instant is folded, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

export const foldedEventsOf = (
  store: MemoryStore,
  accountId: string,
  now: number,
): FoldedEvents => {
  const { events, checkpoint } = shardIn(store, shardOf(accountId, store.shards.length));
  return {
    events: events.slice(0, checkpoint).filter((event) => event.accountId === accountId),
    checkpoint,
    generation: store.generation,
    // The first event that is not folded yet; if there is none, everything is.
    asOf: events[checkpoint]?.recordedAt ?? now,
  };
};
