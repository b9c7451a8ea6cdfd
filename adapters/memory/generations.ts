import { Clock, Effect } from "effect";

import { present } from "../../core/invariant.ts";
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
import {
  foldNext,
  makeReadModelState,
  type MemoryShard,
  type MemoryStore,
  type ReadModelState,
  rowsIn,
  shardIn,
} from "./store.ts";

interface MemoryGeneration {
  readonly about: Generation;
  /** For the live generation, the shards of the store itself. */
  readonly shards: ReadonlyArray<ReadModelState>;
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
  let isLocked = false;

  const lock = Effect.acquireRelease(
    Effect.suspend(() => {
      if (isLocked) return Effect.fail(new GenerationsBusy({ holder: "another fiber" }));
      isLocked = true;
      return Effect.void;
    }),
    () => Effect.sync(() => void (isLocked = false)),
  );
  const inState = (state: Generation["state"]): MemoryGeneration | undefined =>
    generations.find(({ about }) => about.state === state);
  const numbered = (number: number): MemoryGeneration | undefined =>
    generations.find(({ about }) => about.number === number);

  const begin = Effect.map(Clock.currentTimeMillis, (startedAt): MemoryGeneration => {
    const about: Generation = {
      number: Math.max(...generations.map((each) => each.about.number)) + 1,
      state: "building",
      versions: READ_MODEL_VERSIONS,
      startedAt,
      flippedAt: null,
    };
    const begun = { about, shards: store.shards.map(makeReadModelState) };
    generations = [...generations, begun];
    return begun;
  });

  const flip = (target: MemoryGeneration, flippedAt: number): void => {
    const retired = store.shards.map(copyOf);
    for (const [i, built] of target.shards.entries()) {
      const live = shardIn(store, i);
      foldNext(built, live, live.checkpoint - built.checkpoint);
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
      Effect.sync(() => foldNext(stateIn(target, shard), shardIn(store, shard), limit).length),
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
        const found = numbered(number);
        return found === undefined ? [] : lagOf(store, found);
      }),
    build: Effect.gen(function* () {
      yield* lock;
      const target = inState("building") ?? (yield* begin);
      const { versions } = present(inState("live"), "no generation is live").about;
      return makeBuilding(
        target,
        READ_MODELS.filter(({ name, version }) => versions[name] === version),
      );
    }),
    drop: (number) =>
      Effect.gen(function* () {
        yield* lock;
        const found = numbered(number);
        if (found === undefined) return "unknown" as const;
        if (found.about.state === "live") return "live" as const;
        generations = generations.filter((each) => each !== found);
        return "dropped" as const;
      }).pipe(Effect.scoped),
  };
};

const copyOf = ({ checkpoint, rows, poisoned }: ReadModelState): ReadModelState => ({
  checkpoint,
  rows: new Map(rows),
  poisoned: new Map(poisoned),
});

const put = (live: ReadModelState, built: ReadModelState): void => {
  live.checkpoint = built.checkpoint;
  live.rows.clear();
  for (const [name, rows] of built.rows) live.rows.set(name, rows);
  live.poisoned.clear();
};

const stateIn = ({ about, shards }: MemoryGeneration, shard: number): ReadModelState =>
  present(shards[shard], `no shard ${shard} in generation ${about.number}`);

/** How many more events the live rows count than the built ones, row by row. */
const excessOf = (
  model: ReadModel,
  live: MemoryShard,
  built: ReadModelState,
): ReadonlyArray<number> => {
  const sums = new Map<string, number>();
  const add = (sign: 1 | -1, rows: Rows): void => {
    for (const [id, { events }] of rows) sums.set(id, (sums.get(id) ?? 0) + sign * events);
  };
  add(1, rowsIn(live, model));
  add(-1, rowsIn(built, model));
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
