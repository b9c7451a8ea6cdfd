import { Effect } from "effect";
import type pg from "pg";

import { invariant, present } from "../../core/invariant.ts";
import {
  type Building,
  type Difference,
  FlipDelayed,
  type Generation,
} from "../../core/projection/generations.ts";
import { type Checkpoint, type Lag, ProjectionRefused } from "../../core/projection/projection.ts";
import { STEP_EVENTS_MAX } from "../../core/projection/projector.ts";
import type { ReadModel } from "../../core/projection/read_models.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import { isDataFault, isLockTimeout } from "./errors.ts";
import type { Database, Statement } from "./pool.ts";
import { queryReadModels } from "./projection.ts";
import { compileCompare, compileFold, compileStep } from "./read_model_sql.ts";
import { inGeneration, schemaOf, sqlFile } from "./statement.ts";
import { transact } from "./transaction.ts";

const BUILD_WINDOW = sqlFile(new URL("build_window.sql", import.meta.url));
const FORGET_WINDOW = sqlFile(new URL("forget_window.sql", import.meta.url));
const LAG = sqlFile(new URL("lag.sql", import.meta.url));

/** How long a flip waits for running steps, and after that how long it may block readers. */
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

/** A window of the live generation that another generation lacks, or has with an end long past. */
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
 * A generation that is being built in the schema of its number.
 *
 * @param compared the read models that must be equal in the live generation
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
    // Without a name, so that it is planned for each range.
    READ_MODELS.map((model) => ({ ...here(compileFold(model, range)), name: "" }));
  const folds = { first: foldsOf("first"), later: foldsOf("later") };
  const comparisons = compared.map((model) => ({
    model,
    statement: compileCompare(model, number),
  }));

  /** Locks the checkpoint of a shard until the transaction ends. */
  const leaseOf = async (on: Database, shard: number): Promise<Leased> =>
    present((await on.query<Leased>(lease, [shard]))[0], `shard ${shard} has a checkpoint`);

  /** One step like those of the live projector: it also adds late events to windows. */
  const stepOn = async (on: Database, shard: number, limit: number): Promise<number> => {
    const [folded] = await on.query<{ lo: number; hi: number }>(step, [shard, limit]);
    return folded === undefined ? 0 : folded.hi - folded.lo;
  };

  const fold = async (on: Database, shard: number, limit: number): Promise<number> => {
    const { position: lo, head, windowed } = await leaseOf(on, shard);
    if (windowed) return stepOn(on, shard, Math.min(limit, STEP_EVENTS_MAX));
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
    // A statement of its own, so that the next ones see everything that is folded.
    await on.query(lease, [shard]);
    await on.query(here(FORGET_WINDOW), [shard, account_id, hours]);
    await on.query(here(BUILD_WINDOW), [shard, account_id, hours, counted_from, counted_to]);
    return true;
  };

  const compare = async (on: Database, shard: number): Promise<ReadonlyArray<Difference>> => {
    const differences: Difference[] = [];
    for (const { model, statement } of comparisons) {
      const [row] = await on.query<Compared>(statement, [shard]);
      const { same, excess } = present(row, "an aggregate returns a row");
      if (!same) differences.push({ shard, readModel: model.name, excess });
    }
    return differences;
  };

  const flip = async (on: Database): Promise<void> => {
    await on.query(SET_LOCK_TIMEOUT, [STEPS_WAIT]);
    const live = await on.query<Omit<Checkpoint, "generation">>(LOCK_LIVE, []);
    for (const { shard, position } of live) {
      let { position: built } = await leaseOf(on, shard);
      while (built < position) {
        const folded = await stepOn(on, shard, STEP_EVENTS_MAX);
        invariant(folded > 0, `shard ${shard} folds from ${built} to ${position} under its lock`);
        built += folded;
      }
    }
    await on.query(SET_LOCK_TIMEOUT, [READERS_WAIT]);
    await on.query(FLIP, [number]);
  };

  return {
    generation,
    compared: compared.map(({ name }) => name),
    lag: queryReadModels(() => database.query<Lag>(here(LAG), [])),

    fold: (shard, limit) =>
      queryReadModels(
        (signal) => transact(pool, signal, (on) => fold(on, shard, limit)),
        (cause) => (isDataFault(cause) ? new ProjectionRefused({ shard, cause }) : undefined),
      ),

    prepare: Effect.gen(function* () {
      const built = yield* queryReadModels((signal) => transact(pool, signal, prepare));
      // For plans that fit the new rows, and for index-only scans.
      if (!built) yield* queryReadModels(() => vacuum(database, number));
      return built;
    }),

    compare: (shard) =>
      queryReadModels((signal) => transact(pool, signal, (on) => compare(on, shard))),

    flip: queryReadModels(
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

/** The tables that reads use. */
const TABLES = [...READ_MODELS.map(({ name }) => name), "windows", "window_types", "window_users"];

const vacuum = async (database: Database, generation: number): Promise<void> => {
  for (const table of TABLES) {
    const text = `vacuum (analyze) ${schemaOf(generation)}.${table}`;
    await database.query({ name: "", text }, []);
  }
};
