import { Effect } from "effect";
import type pg from "pg";

import { present } from "../../core/invariant.ts";
import {
  type Generation,
  type Generations,
  GenerationsBusy,
} from "../../core/projection/generations.ts";
import type { Lag } from "../../core/projection/projection.ts";
import { READ_MODEL_VERSIONS, READ_MODELS } from "../../core/projection/read_models.ts";
import { makeBuilding } from "./building.ts";
import { type Database, databaseOf, type Statement } from "./pool.ts";
import { queryReadModels } from "./projection.ts";
import { inGeneration, sqlFile } from "./statement.ts";

const LAG = sqlFile(new URL("lag.sql", import.meta.url));
const LIST: Statement = {
  name: "generations",
  text: `
    select
      number, state, versions,
      (extract(epoch from started_at) * 1000)::float8 as "startedAt",
      (extract(epoch from flipped_at) * 1000)::float8 as "flippedAt"
    from tidemark.generations order by number`,
};
const BEGIN: Statement = {
  name: "begin_generation",
  text: "select tidemark.begin_generation($1)",
};
const DROP: Statement = {
  name: "drop_generation",
  text: "select tidemark.drop_generation($1) as dropped",
};

/** The advisory lock for building and dropping: "rebu" in ASCII. It is per database. */
const GENERATIONS_LOCK_KEY = 0x72_65_62_75;

const HOLDER: Statement = {
  name: "generations_lock_holder",
  text: `
    select format('process %s of the database (%s, since %s)', a.pid, a.application_name,
      date_trunc('second', a.backend_start)) as holder
    from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.granted and a.datname = current_database()
      and l.classid = 0 and l.objid = $1::bigint::oid and l.objsubid = 1`,
};

/**
 * The generations of the read models in Postgres: `db/migrations/0002_read_models.sql`.
 *
 * @param pool has one connection more than shards are folded at the same time: it holds the lock
 */
export const makeGenerations = (pool: pg.Pool): Generations["Service"] => {
  const database = databaseOf(pool);
  const list = queryReadModels(() => database.query<Generation>(LIST, []));

  /** Keeps other processes from building and dropping until the scope closes. */
  const lock = Effect.acquireRelease(
    Effect.flatMap(
      queryReadModels(() => tryLock(pool)),
      (held) => (held instanceof GenerationsBusy ? Effect.fail(held) : Effect.succeed(held)),
    ),
    (client) => Effect.promise(() => unlock(client)),
  );

  return {
    list,

    lag: ({ number, state }) =>
      queryReadModels(() =>
        database.query<Lag>(state === "live" ? LAG : inGeneration(LAG, number), []),
      ),

    build: Effect.gen(function* () {
      yield* lock;
      const before = yield* list;
      if (!before.some(({ state }) => state === "building")) {
        yield* queryReadModels(() => database.query(BEGIN, [JSON.stringify(READ_MODEL_VERSIONS)]));
      }
      const generations = yield* list;
      const inState = (state: Generation["state"]) =>
        present(
          generations.find((each) => each.state === state),
          `one generation is ${state}`,
        );
      const building = inState("building");
      const live = inState("live");
      const compared = READ_MODELS.filter(({ name, version }) => live.versions[name] === version);
      return makeBuilding(pool, database, building, compared);
    }),

    drop: (number) =>
      Effect.gen(function* () {
        yield* lock;
        const found = (yield* list).find((each) => each.number === number);
        if (found === undefined) return "unknown" as const;
        const [row] = yield* queryReadModels(() =>
          database.query<{ dropped: boolean }>(DROP, [number]),
        );
        const { dropped } = present(row, "a function returns a row");
        return dropped ? ("dropped" as const) : ("live" as const);
      }).pipe(Effect.scoped),
  };
};

const tryLock = async (pool: pg.Pool): Promise<pg.PoolClient | GenerationsBusy> => {
  const client = await pool.connect();
  try {
    const on: Database = databaseOf(client);
    const text = "select pg_try_advisory_lock($1) as locked";
    const [row] = await on.query<{ locked: boolean }>({ name: "", text }, [GENERATIONS_LOCK_KEY]);
    if (present(row, "a function returns a row").locked) return client;
    const [holder] = await on.query<{ holder: string }>(HOLDER, [GENERATIONS_LOCK_KEY]);
    client.release();
    return new GenerationsBusy({ holder: holder?.holder ?? "a process that has ended meanwhile" });
  } catch (error) {
    client.release(true);
    throw error;
  }
};

/** The lock belongs to the session: if it cannot be released, it ends with the connection. */
const unlock = (client: pg.PoolClient): Promise<void> =>
  client.query("select pg_advisory_unlock($1)", [GENERATIONS_LOCK_KEY]).then(
    () => client.release(),
    () => client.release(true),
  );
