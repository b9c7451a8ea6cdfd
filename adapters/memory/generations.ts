import { Clock, Effect } from "effect";

import {
  type Building,
  type Generation,
  type Generations,
  GenerationsBusy,
} from "../../core/projection/generations.ts";
import type { Lag } from "../../core/projection/projection.ts";
import {
  fold,
  NO_ROWS,
  READ_MODEL_VERSIONS,
  READ_MODELS,
  type ReadModel,
  type Rows,
} from "../../core/projection/read_models.ts";
import { type MemoryShard, type MemoryStore, shardIn } from "./store.ts";

/** What a shard has beside its log, in one generation. */
interface ShardState {
  checkpoint: number;
  readonly rows: Map<string, Rows>;
  readonly poisoned: Map<number, string>;
}

interface MemoryGeneration {
  readonly about: Generation;
  /** Of the live one: in the store itself. */
  readonly shards: ReadonlyArray<ShardState>;
}

/** The generations of a store in memory. */
export const makeMemoryGenerations = (store: MemoryStore): Generations["Service"] => {
  const first: Generation = {
    number: store.generation,
    state: "live",
    versions: READ_MODEL_VERSIONS,
    startedAt: 0,
    flippedAt: 0,
  };
  let generations: ReadonlyArray<MemoryGeneration> = [{ about: first, shards: store.shards }];
  let locked = false;

  const lock = Effect.acquireRelease(
    Effect.suspend(() => {
      if (locked) return Effect.fail(new GenerationsBusy({ holder: "another fiber" }));
      locked = true;
      return Effect.void;
    }),
    () => Effect.sync(() => void (locked = false)),
  );
  const stateOf = (state: Generation["state"]): MemoryGeneration | undefined =>
    generations.find(({ about }) => about.state === state);

  const begin = Effect.map(Clock.currentTimeMillis, (startedAt): MemoryGeneration => {
    const number = Math.max(...generations.map(({ about }) => about.number)) + 1;
    const about: Generation = {
      number,
      state: "building",
      versions: READ_MODEL_VERSIONS,
      startedAt,
      flippedAt: null,
    };
    const shards = store.shards.map(emptyState);
    generations = [...generations, { about, shards }];
    return { about, shards };
  });

  const flip = (target: MemoryGeneration, flippedAt: number): void => {
    const retired = store.shards.map((shard) => copyOf(shard));
    for (const [i, built] of target.shards.entries()) {
      const live = shardIn(store, i);
      foldInto(built, live, live.checkpoint);
      put(live, built);
    }
    store.generation = target.about.number;
    generations = generations.map((each) => {
      if (each.about.number === target.about.number) {
        return { about: { ...each.about, state: "live", flippedAt }, shards: store.shards };
      }
      return each.about.state === "live"
        ? { about: { ...each.about, state: "retired" }, shards: retired }
        : each;
    });
  };

  const makeBuilding = (
    target: MemoryGeneration,
    compared: ReadonlyArray<ReadModel>,
  ): Building => ({
    generation: target.about,
    compared: compared.map(({ name }) => name),
    lag: Effect.sync(() => lagOf(store, target)),
    fold: (shard, limit) =>
      Effect.sync(() => {
        const built = stateIn(target, shard);
        return foldInto(built, shardIn(store, shard), built.checkpoint + limit);
      }),
    prepare: Effect.succeed(false),
    compare: (shard) =>
      Effect.sync(() => {
        const built = stateIn(target, shard);
        return compared.flatMap((model) => {
          const excess = excessOf(model, shardIn(store, shard), built);
          if (excess.every((events) => events === 0)) return [];
          return [{ shard, readModel: model.name, excess: excess.reduce((x, y) => x + y, 0) }];
        });
      }),
    flip: Effect.map(Clock.currentTimeMillis, (now) => flip(target, now)),
  });

  return {
    list: Effect.sync(() => generations.map(({ about }) => about)),
    lag: ({ number }) =>
      Effect.sync(() => {
        const found = generations.find(({ about }) => about.number === number);
        return found === undefined ? [] : lagOf(store, found);
      }),
    build: Effect.gen(function* () {
      yield* lock;
      const target = stateOf("building") ?? (yield* begin);
      const versions = stateOf("live")?.about.versions ?? {};
      return makeBuilding(
        target,
        READ_MODELS.filter(({ name, version }) => versions[name] === version),
      );
    }),
    drop: (number) =>
      Effect.gen(function* () {
        yield* lock;
        const found = generations.find(({ about }) => about.number === number);
        if (found === undefined) return "unknown" as const;
        if (found.about.state === "live") return "live" as const;
        generations = generations.filter((each) => each !== found);
        return "dropped" as const;
      }).pipe(Effect.scoped),
  };
};

const emptyState = (): ShardState => ({
  checkpoint: 0,
  rows: new Map(READ_MODELS.map(({ name }) => [name, NO_ROWS])),
  poisoned: new Map(),
});

const copyOf = ({ checkpoint, rows, poisoned }: ShardState): ShardState => ({
  checkpoint,
  rows: new Map(rows),
  poisoned: new Map(poisoned),
});

const put = (live: ShardState, built: ShardState): void => {
  live.checkpoint = built.checkpoint;
  live.rows.clear();
  for (const [name, rows] of built.rows) live.rows.set(name, rows);
  live.poisoned.clear();
};

const stateIn = ({ shards }: MemoryGeneration, shard: number): ShardState => {
  const found = shards[shard];
  if (found === undefined) throw new Error(`no shard ${shard}`);
  return found;
};

const foldInto = (state: ShardState, { events }: MemoryShard, to: number): number => {
  const slice = events.slice(state.checkpoint, to);
  for (const model of READ_MODELS) {
    state.rows.set(model.name, fold(model, state.rows.get(model.name) ?? NO_ROWS, slice));
  }
  state.checkpoint += slice.length;
  return slice.length;
};

/** How many events more the live rows count than the built ones, row by row. */
const excessOf = (
  model: ReadModel,
  live: MemoryShard,
  built: ShardState,
): ReadonlyArray<number> => {
  const sums = new Map<string, number>();
  const add = (sign: 1 | -1, rows: Rows = NO_ROWS): void => {
    for (const [id, { events }] of rows) sums.set(id, (sums.get(id) ?? 0) + sign * events);
  };
  add(1, live.rows.get(model.name));
  add(-1, built.rows.get(model.name));
  const [lo, hi] = [live.checkpoint, built.checkpoint].toSorted((a, b) => a - b);
  const sign = built.checkpoint > live.checkpoint ? 1 : -1;
  add(sign, fold(model, NO_ROWS, live.events.slice(lo, hi)));
  const skipped = live.events.filter(
    ({ position }) => live.poisoned.has(position) && position <= live.checkpoint,
  );
  add(1, fold(model, NO_ROWS, skipped));
  return [...sums.values()];
};

const lagOf = (store: MemoryStore, { shards }: MemoryGeneration): ReadonlyArray<Lag> =>
  shards.map(({ checkpoint }, shard) => ({
    shard,
    head: shardIn(store, shard).events.length,
    checkpoint,
    seconds: 0,
  }));
