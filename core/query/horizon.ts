import type { Invalidation } from "../projection/invalidations.ts";

/**
 * How many touched accounts of a shard are remembered. Forgetting one invalidates some cached answers of the
 * shard; it never lets a wrong one pass.
 */
const TOUCHED_ACCOUNTS_MAX = 20_000;

/** How many ranges may wait for a missing one before that counts as lost. */
const AHEAD_MAX = 100;

/**
 * An invalidation counts as false after this many polls in a row found a lower checkpoint of the shard than it says.
 * One such poll may just be late.
 */
const POLLS_BEHIND_MAX = 3;

/**
 * What this process knows about the progress of the projection, by shard: enough to decide whether a cached
 * answer still equals the read models. It learns from invalidations, which name the accounts, and from the
 * checkpoints, which reveal every invalidation that was lost.
 *
 * An answer is judged by its checkpoint, and when it is served, not when it is stored. So it does not matter
 * how long a query or a message took, in which order they arrived, or which process stored the answer where.
 */
export interface Horizon {
  /** A step was published. */
  readonly invalidate: (invalidation: Invalidation) => void;
  /**
   * A shard's checkpoint was read, long enough ago for its invalidation to have arrived. The polls of a shard are
   * sequential. If they keep finding less than what was published before them, that checkpoint does not exist, as after
   * restoring a backup. Then the shard starts over, because otherwise no answer would ever be exact again.
   */
  readonly observe: (shard: number, checkpoint: number) => void;
  /**
   * This generation of the read models is live. Answers from earlier ones are invalid, because they may have been wrong.
   * Invalidations cannot express this: they name positions, which all generations share.
   */
  readonly enter: (generation: number) => void;
  /** The lowest checkpoint that an answer about an account may show. Infinity while nothing is known of the shard. */
  readonly floor: (shard: number, accountId: string) => number;
  /** The lowest generation that an answer may come from. Infinity while none is known. */
  readonly generation: () => number;
}

interface ShardHorizon {
  /** All steps after this checkpoint, up to `known`, were received. */
  base: number;
  known: number;
  /** The highest checkpoint that was received or read. */
  highest: number;
  /** What `highest` was after the last poll that found no less: the next poll must find at least that. */
  claimed: number;
  /** How many polls in a row found less. */
  pollsBehind: number;
  /** Ranges that were received after a gap, by their start. */
  readonly ahead: Map<number, number>;
  /** The last checkpoint at which each account was touched, in this order. */
  readonly touched: Map<string, number>;
}

export const makeHorizon = (touchedMax = TOUCHED_ACCOUNTS_MAX): Horizon => {
  const shards = new Map<number, ShardHorizon>();
  let entered = 0;

  /** Everything after this checkpoint is known, nothing before it. */
  const start = (shard: number, checkpoint: number): ShardHorizon => {
    const started = {
      base: checkpoint,
      known: checkpoint,
      highest: checkpoint,
      claimed: checkpoint,
      pollsBehind: 0,
      ahead: new Map(),
      touched: new Map(),
    };
    shards.set(shard, started);
    return started;
  };

  const touch = (state: ShardHorizon, accountId: string, checkpoint: number): void => {
    const { touched } = state;
    const latest = Math.max(checkpoint, touched.get(accountId) ?? 0);
    touched.delete(accountId);
    touched.set(accountId, latest);
    if (touched.size <= touchedMax) return;
    for (const [oldest, at] of touched) {
      touched.delete(oldest);
      state.base = Math.max(state.base, at);
      return;
    }
  };

  return {
    invalidate: ({ shard, accounts, lo, hi }) => {
      const state = shards.get(shard) ?? start(shard, hi);
      state.highest = Math.max(state.highest, hi);
      for (const accountId of accounts) touch(state, accountId, hi);
      state.ahead.set(lo, Math.max(hi, state.ahead.get(lo) ?? 0));
      lineUp(state);
      if (state.ahead.size > AHEAD_MAX) jump(state, Math.max(...state.ahead.values()));
    },

    observe: (shard, checkpoint) => {
      const state = shards.get(shard) ?? start(shard, checkpoint);
      if (checkpoint < state.claimed) {
        if (++state.pollsBehind >= POLLS_BEHIND_MAX) start(shard, checkpoint);
        return;
      }
      if (checkpoint > state.known) jump(state, checkpoint);
      state.pollsBehind = 0;
      state.highest = Math.max(state.highest, checkpoint);
      state.claimed = state.highest;
    },

    enter: (generation) => {
      entered = Math.max(entered, generation);
    },

    generation: () => entered || Number.POSITIVE_INFINITY,

    floor: (shard, accountId) => {
      const state = shards.get(shard);
      if (state === undefined) return Number.POSITIVE_INFINITY;
      return Math.max(state.base, state.touched.get(accountId) ?? 0);
    },
  };
};

/** Moves `known` over the received ranges that follow it. */
const lineUp = (state: ShardHorizon): void => {
  for (let moved = true; moved;) {
    moved = false;
    for (const [lo, hi] of state.ahead) {
      if (lo > state.known) continue;
      state.ahead.delete(lo);
      state.known = Math.max(state.known, hi);
      moved = true;
    }
  }
};

/** Not all steps up to a checkpoint were received: any account may have been touched. */
const jump = (state: ShardHorizon, checkpoint: number): void => {
  state.base = checkpoint;
  state.known = checkpoint;
  lineUp(state);
};
