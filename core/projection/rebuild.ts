import { Data, Effect } from "effect";

import { type Building, type Difference, Generations } from "./generations.ts";
import { STEP_EVENTS_MAX } from "./projector.ts";
import { READ_MODEL_VERSIONS } from "./read_models.ts";

/** How many events one fold takes in bulk: a second or two, and all that a kill can cost. */
export const FOLD_EVENTS_MAX = 1_000_000;

/** Within so many events of all heads the bulk is done, and the rest is folded in steps. */
export const BULK_DONE_EVENTS = 100_000;

/** So many events may be left for the flip, during which the live projector stands still. */
export const FLIP_EVENTS_MAX = 2_000;

/** How often to fold what came meanwhile before flipping all the same: appends may be as quick as folds. */
const CATCH_UP_ROUNDS_MAX = 50;

/** How long to wait before a flip is tried again, in milliseconds: doubles from the first to the last. */
const FLIP_DELAY_MIN_MS = 500;
const FLIP_DELAY_MAX_MS = 30_000;

/** An event cannot be folded. The live projector skips one; who builds anew wants to know. */
export class EventPoisoned extends Data.TaggedError("EventPoisoned")<{
  readonly shard: number;
  readonly position: number;
  readonly cause: unknown;
}> {}

/** A generation was begun by another version of the read models, which this one cannot go on with. */
export class BuildOutdated extends Data.TaggedError("BuildOutdated")<{
  readonly generation: number;
}> {}

/** What was built is not what is live, though their versions are the same: one of them is wrong. */
export class ReadModelsDiffer extends Data.TaggedError("ReadModelsDiffer")<{
  readonly generation: number;
  readonly differences: ReadonlyArray<Difference>;
}> {}

/** Where a rebuild is. */
export type RebuildProgress =
  | { readonly _tag: "Begun"; readonly generation: number; readonly resumed: boolean }
  /** `folded` of the `events` that were in the log when it last looked. */
  | { readonly _tag: "Folding"; readonly folded: number; readonly events: number }
  | { readonly _tag: "Preparing"; readonly pieces: number }
  | { readonly _tag: "Comparing"; readonly shards: number; readonly of: number }
  | { readonly _tag: "FlipDelayed"; readonly delayMs: number; readonly cause: unknown };

export interface RebuildOptions {
  /** Whether what was built becomes live even where it differs from what is. */
  readonly acceptDifferences: boolean;
  /** How many shards are folded and compared at the same time. */
  readonly shardsAtOnce: number;
  readonly report: (progress: RebuildProgress) => void;
}

export interface Rebuilt {
  readonly generation: number;
  /** The read models that were compared with those before them. */
  readonly compared: ReadonlyArray<string>;
  /** What the one before it said otherwise. */
  readonly differences: ReadonlyArray<Difference>;
}

/**
 * Builds the read models anew from the log while reads and writes go on, and makes what was built the
 * live generation. Whatever interrupts it, running it again goes on where it stopped.
 *
 * @errors `GenerationsBusy`, `BuildOutdated`, `EventPoisoned`, `ReadModelsDiffer`, `ProjectionUnavailable`
 */
export const rebuild = Effect.fnUntraced(function* (options: RebuildOptions) {
  const generations = yield* Generations;
  const building = yield* generations.build;
  const { number, versions } = building.generation;
  if (!sameVersions(versions, READ_MODEL_VERSIONS)) {
    return yield* new BuildOutdated({ generation: number });
  }
  const begun = yield* building.lag;
  const resumed = begun.some(({ checkpoint }) => checkpoint > 0);
  options.report({ _tag: "Begun", generation: number, resumed });

  while ((yield* foldToHeads(building, FOLD_EVENTS_MAX, options)) > BULK_DONE_EVENTS);
  for (let pieces = 1; yield* building.prepare; pieces++) {
    options.report({ _tag: "Preparing", pieces });
  }
  yield* catchUpWithLog(building, options);
  const differences = yield* compareAll(building, options);
  if (differences.length > 0 && !options.acceptDifferences) {
    return yield* new ReadModelsDiffer({ generation: number, differences });
  }
  yield* flipWhenPossible(building, options);
  return { generation: number, compared: building.compared, differences } satisfies Rebuilt;
}, Effect.scoped);

const sameVersions = (
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(one).every(([name, version]) => other[name] === version);

/** Folds up to the heads as they are now, and says how many events that were. */
const foldToHeads = Effect.fnUntraced(function* (
  building: Building,
  limit: number,
  { shardsAtOnce, report }: RebuildOptions,
) {
  const lags = yield* building.lag;
  const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0);
  const events = sum(lags.map(({ head }) => head));
  const begin = sum(lags.map(({ checkpoint }) => checkpoint));
  let folded = begin;
  const onFolded = (count: number): void => {
    folded += count;
    report({ _tag: "Folding", folded, events });
  };
  yield* Effect.forEach(
    lags,
    ({ shard, checkpoint, head }) =>
      foldShard(building, shard, { from: checkpoint, to: head, limit, onFolded }),
    { concurrency: shardsAtOnce, discard: true },
  );
  return folded - begin;
});

interface ShardRange {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly onFolded: (events: number) => void;
}

/** Folds a range, halving what is refused until the one event that is to blame stands alone. */
const foldShard = Effect.fnUntraced(function* (
  building: Building,
  shard: number,
  { from, to, limit, onFolded }: ShardRange,
) {
  let position = from;
  let size = limit;
  while (position < to) {
    const asked = Math.min(size, to - position);
    const folded = yield* Effect.catchTag(
      building.fold(shard, asked),
      "ProjectionRefused",
      ({ cause }) =>
        asked > 1
          ? Effect.sync(() => void (size = Math.floor(asked / 2)))
          : Effect.fail(new EventPoisoned({ shard, position: position + 1, cause })),
    );
    if (folded === undefined) continue;
    if (folded === 0) return;
    position += folded;
    onFolded(folded);
  }
});

const catchUpWithLog = Effect.fnUntraced(function* (building: Building, options: RebuildOptions) {
  for (let round = 0; round < CATCH_UP_ROUNDS_MAX; round++) {
    const folded = yield* foldToHeads(building, STEP_EVENTS_MAX, options);
    if (folded <= FLIP_EVENTS_MAX) return;
  }
});

const compareAll = Effect.fnUntraced(function* (
  building: Building,
  { shardsAtOnce, report }: RebuildOptions,
) {
  const lags = yield* building.lag;
  let compared = 0;
  const differences = yield* Effect.forEach(
    lags,
    ({ shard }) =>
      Effect.tap(building.compare(shard), () =>
        Effect.sync(() => report({ _tag: "Comparing", shards: ++compared, of: lags.length })),
      ),
    { concurrency: shardsAtOnce },
  );
  return differences.flat();
});

/** Flips as soon as nobody is in the way, and stays close to the head until then. */
const flipWhenPossible = Effect.fnUntraced(function* (building: Building, options: RebuildOptions) {
  for (let delayMs = FLIP_DELAY_MIN_MS; ; delayMs = Math.min(delayMs * 2, FLIP_DELAY_MAX_MS)) {
    const delayed = yield* building.flip.pipe(
      Effect.as(undefined),
      Effect.catchTag("FlipDelayed", (error) => Effect.succeed(error)),
    );
    if (delayed === undefined) return;
    options.report({ _tag: "FlipDelayed", delayMs, cause: delayed.cause });
    yield* Effect.sleep(delayMs);
    yield* catchUpWithLog(building, options);
  }
});
