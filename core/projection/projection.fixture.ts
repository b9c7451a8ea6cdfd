import { Effect } from "effect";

import { type Projection, ProjectionRefused, ProjectionUnavailable } from "./projection.ts";

/** Read models for tests of the projector: notes which positions were folded, and fails as told. */
export interface FakeProjection {
  readonly service: Projection["Service"];
  /** How far the log of each shard goes. */
  readonly heads: number[];
  readonly checkpoints: number[];
  /** The positions that were folded and skipped, by shard, in order. */
  readonly folded: number[][];
  readonly skipped: { readonly position: number; readonly reason: string }[][];
  /** How often it was asked which shards lag, and for a step. */
  looks: number;
  steps: number;
  /** While true, nothing can be read or folded. */
  away: boolean;
  /** Positions that no step can fold. */
  poison: (shard: number, position: number) => boolean;
  /** Shards whose lease another projector holds. */
  leased: (shard: number) => boolean;
  /** How many pieces of upkeep are due. */
  upkeepDue: number;
  /** Runs inside of each piece of upkeep before it commits. */
  onUpkeep: () => Effect.Effect<void>;
  /** Runs inside of each step before it commits. */
  onStep: (shard: number) => Effect.Effect<void>;
}

const NOTHING = { projected: 0, checkpoint: 0, accounts: [] };

/** Every position is an event of an account of its own. */
export const accountAt = (position: number): string => `account-${position}`;

export const makeFakeProjection = (heads: ReadonlyArray<number>): FakeProjection => {
  const unlessAway = <A>(result: () => A): Effect.Effect<A, ProjectionUnavailable> =>
    Effect.suspend(() =>
      fake.away
        ? Effect.fail(new ProjectionUnavailable({ cause: "the database is away" }))
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
    looks: 0,
    steps: 0,
    away: false,
    poison: () => false,
    leased: () => false,
    upkeepDue: 0,
    onUpkeep: () => Effect.void,
    onStep: () => Effect.void,
    service: {
      lagging: Effect.suspend(() => {
        fake.looks++;
        return unlessAway(() =>
          fake.heads.flatMap((head, shard) => ((fake.checkpoints[shard] ?? 0) < head ? shard : [])),
        );
      }),
      step: Effect.fnUntraced(function* (shard: number, limit: number) {
        fake.steps++;
        const { lo, hi } = yield* unlessAway(() => bounds(shard, limit));
        if (lo >= hi || fake.leased(shard)) return NOTHING;
        yield* fake.onStep(shard);
        const positions = Array.from({ length: hi - lo }, (_, i) => lo + 1 + i);
        const bad = positions.find((position) => fake.poison(shard, position));
        if (bad !== undefined) {
          return yield* new ProjectionRefused({ shard, cause: new Error(`position ${bad}`) });
        }
        fake.folded[shard]?.push(...positions);
        fake.checkpoints[shard] = hi;
        return { projected: hi - lo, checkpoint: hi, accounts: positions.map(accountAt) };
      }),
      skip: (shard, position, reason) =>
        unlessAway(() => {
          const { lo, hi } = bounds(shard, 1);
          if (lo >= hi || position !== hi) return NOTHING;
          fake.skipped[shard]?.push({ position: hi, reason });
          fake.checkpoints[shard] = hi;
          return { projected: 1, checkpoint: hi, accounts: [accountAt(hi)] };
        }),
      upkeep: Effect.gen(function* () {
        const due = yield* unlessAway(() => fake.upkeepDue);
        if (due === 0) return false;
        yield* fake.onUpkeep();
        fake.upkeepDue--;
        return true;
      }),
      checkpoints: Effect.suspend(() =>
        unlessAway(() =>
          fake.checkpoints.map((position, shard) => ({ shard, position, generation: 1 })),
        ),
      ),
      lag: Effect.die("not needed"),
    },
  };
  return fake;
};
