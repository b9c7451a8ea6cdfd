import type { Invalidation } from "../projection/invalidations.ts";

/**
 * How many accounts of one shard are remembered as touched. An account that is forgotten costs some
 * kept answers of its shard, and never lets a wrong one pass.
 */
const TOUCHED_ACCOUNTS_MAX = 20_000;

/** How many announced ranges may wait for one that is missing before it counts as lost. */
const AHEAD_MAX = 100;

/**
 * After how many looks in a row that found a shard's checkpoint behind what had been announced before them the
 * announcement counts as false. One may be late.
 */
const LOOKS_BEHIND_MAX = 3;

/**
 * What this process knows of how far the projection has come, shard by shard: enough to tell of any
 * kept answer whether it still says what the read models say. It learns from announcements, which name
 * the accounts, and from the checkpoints themselves, which show up every announcement that was lost.
 *
 * An answer is judged by the checkpoint it is of, and when it is given, not when it is kept. So it does
 * not matter how long a query or a message was under way, in what order they came, or who kept the
 * answer where.
 */
export interface Horizon {
  /** A step was announced. */
  readonly announce: (invalidation: Invalidation) => void;
  /**
   * A shard's checkpoint was read, long enough ago for its announcement to have come. The looks at a shard are made one
   * after the other. Where they go on finding less than what was announced before them, there is no such checkpoint, as
   * after the restore of a backup: then the shard begins anew, since no answer would be exact ever again.
   */
  readonly observe: (shard: number, checkpoint: number) => void;
  /**
   * A generation of the read models was seen to be live. What was read from an earlier one is void: it
   * may have been wrong. An announcement cannot say so, it is of positions, which all generations share.
   */
  readonly enter: (generation: number) => void;
  /**
   * The lowest checkpoint that an answer about an account must be of. Infinity for a shard of which
   * nothing is known yet.
   */
  readonly floor: (shard: number, accountId: string) => number;
  /** The lowest generation that an answer must be of. Infinity while none is known. */
  readonly generation: () => number;
}

interface ShardHorizon {
  /** Everything that happened behind it, up to `known`, was announced here. */
  base: number;
  known: number;
  /** The highest checkpoint that was announced or read. */
  highest: number;
  /** What that was after the last look that found no less: the next one has to find that much. */
  claimed: number;
  /** How many looks in a row found less. */
  looksBehind: number;
  /** Ranges that were announced behind a gap, by where they begin. */
  readonly ahead: Map<number, number>;
  /** The last checkpoint at which each account was touched, in that order. */
  readonly touched: Map<string, number>;
}

export const makeHorizon = (touchedMax = TOUCHED_ACCOUNTS_MAX): Horizon => {
  const shards = new Map<number, ShardHorizon>();
  let entered = 0;

  /** From here on everything is known, of what came before nothing. */
  const begin = (shard: number, checkpoint: number): ShardHorizon => {
    const begun = {
      base: checkpoint,
      known: checkpoint,
      highest: checkpoint,
      claimed: checkpoint,
      looksBehind: 0,
      ahead: new Map(),
      touched: new Map(),
    };
    shards.set(shard, begun);
    return begun;
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
    announce: ({ shard, accounts, lo, hi }) => {
      const state = shards.get(shard) ?? begin(shard, hi);
      state.highest = Math.max(state.highest, hi);
      for (const accountId of accounts) touch(state, accountId, hi);
      state.ahead.set(lo, Math.max(hi, state.ahead.get(lo) ?? 0));
      lineUp(state);
      if (state.ahead.size > AHEAD_MAX) jump(state, Math.max(...state.ahead.values()));
    },

    observe: (shard, checkpoint) => {
      const state = shards.get(shard) ?? begin(shard, checkpoint);
      if (checkpoint < state.claimed) {
        if (++state.looksBehind >= LOOKS_BEHIND_MAX) begin(shard, checkpoint);
        return;
      }
      if (checkpoint > state.known) jump(state, checkpoint);
      state.looksBehind = 0;
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

/** Moves `known` over the announced ranges that line up with it. */
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

/** What happened up to a checkpoint was not announced in full: any account may have been touched. */
const jump = (state: ShardHorizon, checkpoint: number): void => {
  state.base = checkpoint;
  state.known = checkpoint;
  lineUp(state);
};
