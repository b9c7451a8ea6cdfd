import { Data, Effect } from "effect";

import { invariant } from "../invariant.ts";
import { type Building, type Difference, Generations } from "./generations.ts";
import { STEP_EVENTS_MAX } from "./projector.ts";
import { READ_MODEL_VERSIONS } from "./read_models.ts";

/** How many events one fold takes in bulk: one or two seconds of work, which is what a kill can cost. */
export const FOLD_EVENTS_MAX = 1_000_000;

/** The bulk is done when this many events are left; the rest is folded in steps. */
export const BULK_DONE_EVENTS = 100_000;

/** How many events may be left for the flip, during which the live projector is blocked. */
export const FLIP_EVENTS_MAX = 2_000;

/** How often to catch up before flipping anyway: appends may be as fast as folds. */
const CATCH_UP_ROUNDS_MAX = 50;

/** The backoff before a flip is retried, in milliseconds: doubles from the first to the last. */
const FLIP_DELAY_MIN_MS = 500;
const FLIP_DELAY_MAX_MS = 30_000;

/** An event cannot be folded. The live projector skips it; a rebuild reports it. */
export class EventPoisoned extends Data.TaggedError("EventPoisoned")<{
  readonly shard: number;
  readonly position: number;
  readonly cause: unknown;
}> {}

/** The build was started with other versions of the read models, so this process cannot resume it. */
export class BuildOutdated extends Data.TaggedError("BuildOutdated")<{
  readonly generation: number;
}> {}

/** The built rows differ from the live ones, though their versions are the same: one of them is wrong. */
export class ReadModelsDiffer extends Data.TaggedError("ReadModelsDiffer")<{
  readonly generation: number;
  readonly differences: ReadonlyArray<Difference>;
}> {}

/** The progress of a rebuild. */
export type RebuildProgress =
  | { readonly _tag: "Started"; readonly generation: number; readonly resumed: boolean }
  /** `folded` of the `events` that the log contained at the last poll. */
  | { readonly _tag: "Folding"; readonly folded: number; readonly events: number }
  | { readonly _tag: "Preparing"; readonly pieces: number }
  | { readonly _tag: "Comparing"; readonly shards: number; readonly of: number }
  | { readonly _tag: "FlipDelayed"; readonly delayMs: number; readonly cause: unknown };

export interface RebuildOptions {
  /** Whether the build becomes live even if it differs from the live generation. */
  readonly acceptDifferences: boolean;
  /** How many shards are folded and compared at the same time. */
  readonly shardsAtOnce: number;
  readonly report: (progress: RebuildProgress) => void;
}

export interface Rebuilt {
  readonly generation: number;
  /** The read models that were compared with the previous generation. */
  readonly compared: ReadonlyArray<string>;
  /** Where the previous generation differed. */
  readonly differences: ReadonlyArray<Difference>;
}

/**
 * Rebuilds the read models from the log while reads and writes continue, and makes the result the live
 * generation. After an interruption, running it again resumes where it stopped.
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
  const lags = yield* building.lag;
  const resumed = lags.some(({ checkpoint }) => checkpoint > 0);
  options.report({ _tag: "Started", generation: number, resumed });

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

/** Folds up to the current heads, and returns how many events that were. */
const foldToHeads = Effect.fnUntraced(function* (
  building: Building,
  limit: number,
  { shardsAtOnce, report }: RebuildOptions,
) {
  const lags = yield* building.lag;
  const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0);
  const events = sum(lags.map(({ head }) => head));
  const before = sum(lags.map(({ checkpoint }) => checkpoint));
  let folded = before;
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
  return folded - before;
});

interface ShardRange {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly onFolded: (events: number) => void;
}

/** Folds a range. Halves what is refused until it is the one poison event. */
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
    invariant(folded <= asked, `a fold of at most ${asked} events folded ${folded}`);
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

/** Flips as soon as no other statement is in the way, and stays close to the head until then. */
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
