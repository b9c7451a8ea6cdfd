import { Effect } from "effect";
import type pg from "pg";

import {
  type Building,
  type Difference,
  FlipDelayed,
  type Generation,
} from "../../core/projection/generations.ts";
import {
  type Checkpoint,
  type Lag,
  ProjectionRefused,
  ProjectionUnavailable,
} from "../../core/projection/projection.ts";
import { STEP_EVENTS_MAX } from "../../core/projection/projector.ts";
import { READ_MODELS, type ReadModel } from "../../core/projection/read_models.ts";
import { asking } from "./ask.ts";
import { compileCompare } from "./compile_compare.ts";
import { compileFold } from "./compile_fold.ts";
import { compileStep } from "./compile_step.ts";
import { isDataFault, isLockTimeout } from "./errors.ts";
import { inGeneration, schemaOf } from "./in_generation.ts";
import type { Database, Statement } from "./pool.ts";
import { sqlFile } from "./sql_file.ts";
import { transact } from "./transaction.ts";

const unavailable = asking(ProjectionUnavailable);

const BUILD_WINDOW = sqlFile(new URL("build_window.sql", import.meta.url));
const FORGET_WINDOW = sqlFile(new URL("forget_window.sql", import.meta.url));
const LAG = sqlFile(new URL("lag.sql", import.meta.url));

/** How long a flip waits for steps that are under way, and then how long it may keep readers waiting. */
const STEPS_WAIT = "1s";
const READERS_WAIT = "100ms";

const LOCK_LIVE: Statement = {
  name: "lock_live_checkpoints",
  text: "select shard, position from read_models.checkpoints order by shard for update",
};
const SET_LOCK_TIMEOUT: Statement = {
  name: "set_lock_timeout",
  text: "select set_config('lock_timeout', $1, true)",
};
const FLIP: Statement = {
  name: "flip_generation",
  text: "select tidemark.flip_generation($1)",
};
const LEASE: Statement = {
  name: "building_lease",
  text: `
    select
      c.position,
      (select h.position from tidemark.log_heads h where h.shard = c.shard) as head,
      exists (select from read_models.windows w where w.shard = c.shard) as windowed
    from read_models.checkpoints c where c.shard = $1 for update`,
};
const MOVE: Statement = {
  name: "move_building",
  text: "update read_models.checkpoints set position = $2 where shard = $1",
};

/** A window of the live generation that a generation lacks, or counts to a time long past. */
const missingWindow = (generation: number): Statement => ({
  name: `missing_window_${generation}`,
  text: `
    select l.shard, l.account_id, l.hours, l.counted_from, l.counted_to
    from read_models.windows l
    left join ${schemaOf(generation)}.windows b using (shard, account_id, hours)
    where b.counted_to is null or b.counted_to < l.counted_to - interval '1 hour'
    limit 1`,
});

/**
 * A generation that is built in the schema of its number.
 *
 * @param compared the read models that must be the same in the live generation
 */
export const makeBuilding = (
  pool: pg.Pool,
  database: Database,
  generation: Generation,
  compared: ReadonlyArray<ReadModel>,
): Building => {
  const { number } = generation;
  const here = (statement: Statement): Statement => inGeneration(statement, number);
  const step = here(compileStep(READ_MODELS));
  const lease = here(LEASE);
  const move = here(MOVE);
  const foldsOf = (range: "first" | "later") =>
    // Without a name, for each range to be planned.
    READ_MODELS.map((model) => ({ ...here(compileFold(model, range)), name: "" }));
  const folds = { first: foldsOf("first"), later: foldsOf("later") };
  const comparisons = compared.map((model) => ({
    model,
    statement: compileCompare(model, number),
  }));

  /** One step as the live projector takes it: it also adds late events to windows. */
  const stepOn = async (on: Database, shard: number, limit: number): Promise<number> => {
    const [folded] = await on.query<{ lo: number; hi: number }>(step, [shard, limit]);
    return folded === undefined ? 0 : folded.hi - folded.lo;
  };

  const fold = async (on: Database, shard: number, limit: number): Promise<number> => {
    const [leased] = await on.query<Leased>(lease, [shard]);
    if (leased === undefined) return 0;
    if (leased.windowed) return stepOn(on, shard, Math.min(limit, STEP_EVENTS_MAX));
    const { position: lo, head } = leased;
    const hi = Math.min(head, lo + limit);
    if (hi <= lo) return 0;
    for (const one of lo === 0 ? folds.first : folds.later) await on.query(one, [shard, lo, hi]);
    await on.query(move, [shard, hi]);
    return hi - lo;
  };

  const prepare = async (on: Database): Promise<boolean> => {
    const [window] = await on.query<Window>(missingWindow(number), []);
    if (window === undefined) return false;
    const { shard, account_id, hours, counted_from, counted_to } = window;
    // A statement of its own, so that the next ones see all that is folded.
    await on.query(lease, [shard]);
    await on.query(here(FORGET_WINDOW), [shard, account_id, hours]);
    await on.query(here(BUILD_WINDOW), [shard, account_id, hours, counted_from, counted_to]);
    return true;
  };

  const compare = async (on: Database, shard: number): Promise<ReadonlyArray<Difference>> => {
    const differences: Difference[] = [];
    for (const { model, statement } of comparisons) {
      const [found] = await on.query<Compared>(statement, [shard]);
      if (found === undefined || found.same) continue;
      differences.push({ shard, readModel: model.name, excess: found.excess });
    }
    return differences;
  };

  const flip = async (on: Database): Promise<void> => {
    await on.query(SET_LOCK_TIMEOUT, [STEPS_WAIT]);
    const live = await on.query<Omit<Checkpoint, "generation">>(LOCK_LIVE, []);
    for (const { shard, position } of live) {
      const [leased] = await on.query<Leased>(lease, [shard]);
      let built = leased?.position ?? 0;
      while (built < position) {
        const folded = await stepOn(on, shard, STEP_EVENTS_MAX);
        // Else it would never end; the flip refuses what is behind.
        if (folded === 0) break;
        built += folded;
      }
    }
    await on.query(SET_LOCK_TIMEOUT, [READERS_WAIT]);
    await on.query(FLIP, [number]);
  };

  return {
    generation,
    compared: compared.map(({ name }) => name),
    lag: unavailable(() => database.query<Lag>(here(LAG), [])),

    fold: (shard, limit) =>
      unavailable(
        (signal) => transact(pool, signal, (on) => fold(on, shard, limit)),
        (cause) => (isDataFault(cause) ? new ProjectionRefused({ shard, cause }) : undefined),
      ),

    prepare: Effect.gen(function* () {
      const built = yield* unavailable((signal) => transact(pool, signal, prepare));
      // For plans of the new rows, and for scans of indexes alone.
      if (!built) yield* unavailable(() => vacuum(database, number));
      return built;
    }),

    compare: (shard) => unavailable((signal) => transact(pool, signal, (on) => compare(on, shard))),

    flip: unavailable(
      (signal) => transact(pool, signal, flip),
      (cause) =>
        isLockTimeout(cause) || isDataFault(cause) ? new FlipDelayed({ cause }) : undefined,
    ),
  };
};

interface Leased {
  readonly position: number;
  readonly head: number;
  readonly windowed: boolean;
}

interface Window {
  readonly shard: number;
  readonly account_id: string;
  readonly hours: number;
  readonly counted_from: Date;
  readonly counted_to: Date;
}

interface Compared {
  readonly excess: number;
  readonly same: boolean;
}

/** The tables that reads depend on. */
const TABLES = [...READ_MODELS.map(({ name }) => name), "windows", "window_types", "window_users"];

const vacuum = async (database: Database, generation: number): Promise<void> => {
  for (const table of TABLES) {
    const text = `vacuum (analyze) ${schemaOf(generation)}.${table}`;
    await database.query({ name: "", text }, []);
  }
};
