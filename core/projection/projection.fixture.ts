import { Effect } from "effect";

import {
  NOTHING_PROJECTED,
  type Projection,
  ProjectionRefused,
  ProjectionUnavailable,
  type Step,
} from "./projection.ts";

/** Read models for tests of the projector: records which positions were folded, and fails on demand. */
export interface FakeProjection {
  readonly service: Projection["Service"];
  /** The last position of each shard. */
  readonly heads: number[];
  readonly checkpoints: number[];
  /** The positions that were folded and skipped, by shard, in order. */
  readonly folded: number[][];
  readonly skipped: { readonly position: number; readonly reason: string }[][];
  /** How often `lagging` and `step` were called. */
  polls: number;
  steps: number;
  /** While true, every call fails as unavailable. */
  unavailable: boolean;
  /** Positions that no step can fold. */
  poison: (shard: number, position: number) => boolean;
  /** Shards whose lease another projector holds. */
  leased: (shard: number) => boolean;
  /** How many units of upkeep are due. */
  upkeepDue: number;
  /** Runs inside each unit of upkeep before it commits. */
  onUpkeep: () => Effect.Effect<void>;
  /** Runs inside each step before it commits. */
  onStep: (shard: number) => Effect.Effect<void>;
}

/** Each position is an event of a different account. */
export const accountAt = (position: number): string => `account-${position}`;

/** The step that folds `projected` events up to a checkpoint. All of them were recorded at the epoch. */
export const stepTo = (checkpoint: number, projected: number): Step => ({
  projected,
  checkpoint,
  accounts: Array.from({ length: projected }, (_, i) => accountAt(checkpoint - projected + 1 + i)),
  oldestRecordedAt: 0,
});

export const makeFakeProjection = (heads: ReadonlyArray<number>): FakeProjection => {
  const whileAvailable = <A>(result: () => A): Effect.Effect<A, ProjectionUnavailable> =>
    Effect.suspend(() =>
      fake.unavailable
        ? Effect.fail(new ProjectionUnavailable({ cause: "the database is unavailable" }))
        : Effect.succeed(result()),
    );
  const bounds = (shard: number, limit: number) => {
    const lo = fake.checkpoints[shard] ?? 0;
    return { lo, hi: Math.min(fake.heads[shard] ?? 0, lo + limit) };
  };
  const fake: FakeProjection = {
    heads: [...heads],
    checkpoints: heads.map(() => 0),
    folded: heads.map(() => []),
    skipped: heads.map(() => []),
    polls: 0,
    steps: 0,
    unavailable: false,
    poison: () => false,
    leased: () => false,
    upkeepDue: 0,
    onUpkeep: () => Effect.void,
    onStep: () => Effect.void,
    service: {
      lagging: Effect.suspend(() => {
        fake.polls++;
        return whileAvailable(() =>
          fake.heads.flatMap((head, shard) => ((fake.checkpoints[shard] ?? 0) < head ? shard : [])),
        );
      }),
      step: Effect.fnUntraced(function* (shard: number, limit: number) {
        fake.steps++;
        const { lo, hi } = yield* whileAvailable(() => bounds(shard, limit));
        if (lo >= hi || fake.leased(shard)) return NOTHING_PROJECTED;
        yield* fake.onStep(shard);
        const positions = Array.from({ length: hi - lo }, (_, i) => lo + 1 + i);
        const bad = positions.find((position) => fake.poison(shard, position));
        if (bad !== undefined) {
          return yield* new ProjectionRefused({ shard, cause: new Error(`position ${bad}`) });
        }
        fake.folded[shard]?.push(...positions);
        fake.checkpoints[shard] = hi;
        return stepTo(hi, hi - lo);
      }),
      skip: (shard, position, reason) =>
        whileAvailable(() => {
          const { lo, hi } = bounds(shard, 1);
          if (lo >= hi || position !== hi) return NOTHING_PROJECTED;
          fake.skipped[shard]?.push({ position: hi, reason });
          fake.checkpoints[shard] = hi;
          return stepTo(hi, 1);
        }),
      upkeep: Effect.gen(function* () {
        const due = yield* whileAvailable(() => fake.upkeepDue);
        if (due === 0) return false;
        yield* fake.onUpkeep();
        fake.upkeepDue--;
        return true;
      }),
      checkpoints: Effect.suspend(() =>
        whileAvailable(() =>
          fake.checkpoints.map((position, shard) => ({ shard, position, generation: 1 })),
        ),
      ),
      lag: Effect.die("not needed"),
    },
  };
  return fake;
};
