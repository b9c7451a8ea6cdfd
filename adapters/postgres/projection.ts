import { invariant, present } from "../../core/invariant.ts";
import {
  type Checkpoint,
  type Lag,
  NOTHING_PROJECTED,
  Projection,
  ProjectionRefused,
  ProjectionUnavailable,
  type Step,
} from "../../core/projection/projection.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import { failingAs, isDataFault } from "./errors.ts";
import { type Database, portLayer, type Statement } from "./pool.ts";
import { compileStep } from "./read_model_sql.ts";
import { sqlFile } from "./statement.ts";

export const queryReadModels = failingAs(ProjectionUnavailable);

const STEP = compileStep(READ_MODELS);
const SKIP = sqlFile(new URL("skip_poisoned.sql", import.meta.url));
const LAG = sqlFile(new URL("lag.sql", import.meta.url));
const LAGGING: Statement = {
  name: "lagging",
  text: `
    select c.shard
    from read_models.checkpoints c join tidemark.log_heads h using (shard)
    where h.position > c.position`,
};

const CHECKPOINTS: Statement = {
  name: "checkpoints",
  text: "select shard, position, generation from read_models.checkpoints",
};

const REQUESTED: Statement = {
  name: "windows_requested",
  text: "select distinct shard from read_models.window_requests",
};
const ADVANCE_WINDOW: Statement = {
  name: "advance_window",
  text: "select tidemark.advance_window($1, $2) as advanced",
};

const BUILD_WINDOW: Statement = {
  name: "build_window",
  text: "select tidemark.build_window($1) as built",
};

/** The most events that one piece adds to a window: they hold the shard for some 100 ms. */
const PIECE_EVENTS_MAX = 5_000;

export interface ProjectionDatabases {
  /** Runs statements that can take minutes. */
  readonly patient?: Database;
  /** Runs the cheap polls that the service depends on, even if the database is busy. */
  readonly control?: Database;
}

/** The read models in Postgres. They are folded there: no event is sent to this process. */
export const makeProjection = (
  database: Database,
  { patient = database, control = database }: ProjectionDatabases = {},
): Projection["Service"] => ({
  lagging: queryReadModels(async () => {
    const rows = await database.query<{ shard: number }>(LAGGING, []);
    return rows.map((row) => row.shard);
  }),

  step: (shard, limit) =>
    queryReadModels(
      async () => stepOf(await database.query<Folded>(STEP, [shard, limit])),
      (cause) => (isDataFault(cause) ? new ProjectionRefused({ shard, cause }) : undefined),
    ),

  skip: (shard, position, reason) =>
    queryReadModels(async () =>
      stepOf(await database.query<Folded>(SKIP, [shard, position, reason])),
    ),

  upkeep: queryReadModels(async (signal) => {
    const shards = await database.query<{ shard: number }>(REQUESTED, []);
    const advanced = await Promise.all(
      shards.map(({ shard }) =>
        database.query<Advanced>(ADVANCE_WINDOW, [shard, PIECE_EVENTS_MAX]),
      ),
    );
    if (advanced.some(([row]) => present(row, "a function returns a row").advanced)) return true;
    for (const { shard } of shards) {
      const [row] = await patient.query<Built>(BUILD_WINDOW, [shard], signal);
      if (present(row, "a function returns a row").built) return true;
    }
    return false;
  }),

  checkpoints: queryReadModels((signal) => control.query<Checkpoint>(CHECKPOINTS, [], signal)),

  lag: queryReadModels((signal) => control.query<Lag>(LAG, [], signal)),
});

export const projectionLayer = portLayer(Projection, ({ log, build, control }) =>
  makeProjection(log, { patient: build, control }),
);

interface Advanced {
  readonly advanced: boolean;
}

interface Built {
  readonly built: boolean;
}

interface Folded {
  readonly lo: number;
  readonly hi: number;
  readonly events: number;
  readonly accounts: ReadonlyArray<string>;
  readonly oldestRecordedAt: number;
}

const stepOf = ([folded]: ReadonlyArray<Folded>): Step => {
  if (folded === undefined) return NOTHING_PROJECTED;
  const { lo, hi, events, accounts, oldestRecordedAt } = folded;
  invariant(events === hi - lo, `the positions after ${lo} up to ${hi} have ${events} events`);
  return { projected: events, checkpoint: hi, accounts, oldestRecordedAt };
};
