import { setTimeout as delay } from "node:timers/promises";

import { type Db, PgBoss } from "pg-boss";

import { QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { openBuilderPool } from "../adapters/postgres/builder_pool.ts";
import { executorOf } from "../adapters/postgres/pool.ts";
import { messageOf, QueueSchemaFailed } from "./errors.ts";
import { queueSchemaStatus } from "./queue_schema_status.ts";

/** pg-boss runs at most one index build an interval, and 10 s is the shortest that it allows. */
const BUILD_INTERVAL_SECONDS = 10;
const BUILD_POLL_MS = 250;
const BUILD_WAIT_MS_DEFAULT = 30 * 60_000;

export interface InstallQueueSchemaOptions {
  /** Default `tidemark_queue`. */
  readonly schema?: string;
  /** Creates the queues, while pg-boss is started and may run DDL. */
  readonly installQueues?: (boss: PgBoss) => Promise<void>;
  /** How long to wait for index builds after an upgrade of pg-boss, in milliseconds; default 30 minutes. */
  readonly buildWaitMs?: number;
}

/**
 * Installs or upgrades pg-boss's own schema with pg-boss itself, so that the app can run with `migrate: false`
 * and without the right to run DDL. Returns the schema version before (null: not installed) and after.
 * Two processes may call it at once: pg-boss takes an advisory lock of its own and the loser does nothing.
 *
 * An upgrade only *enqueues* its `CREATE INDEX CONCURRENTLY` (pg-boss: "bam"), for an instance with `migrate: true`
 * to build in the background. The app is none, so this waits until the last of them is built.
 *
 * @param database a connection string, or an adapter over a pool (a failed install leaves its transaction open,
 *   and only a pool throws such a connection away)
 * @throws {QueueSchemaFailed} with the reason; running it again continues where it stopped
 */
export async function installQueueSchema(
  database: string | Db,
  options: InstallQueueSchemaOptions = {},
): Promise<{ readonly from: number | null; readonly to: number }> {
  if (typeof database === "string") {
    // On a pool of ours, so that its sessions are as ours are.
    const pool = openBuilderPool(database, 1);
    try {
      return await installQueueSchema({ executeSql: executorOf(pool) }, options);
    } finally {
      await pool.close();
    }
  }
  const schema = options.schema ?? QUEUE_SCHEMA;
  const errors: unknown[] = [];
  const boss = new PgBoss({
    db: database,
    schema,
    createSchema: true,
    migrate: true,
    supervise: false,
    schedule: false,
    bamIntervalSeconds: BUILD_INTERVAL_SECONDS,
  });
  boss.on("error", (error) => errors.push(error));
  try {
    const { installed: from } = await queueSchemaStatus(database, { schema });
    await boss.start();
    const to = await confirmVersion(database, schema);
    await boss.getDb().executeSql(readLessOften(schema));
    await finishIndexBuilds(boss, errors, options.buildWaitMs ?? BUILD_WAIT_MS_DEFAULT);
    await options.installQueues?.(boss);
    return { from, to };
  } catch (cause) {
    throw new QueueSchemaFailed(schema, messageOf(cause), cause);
  } finally {
    await boss.stop({ graceful: false });
  }
}

/**
 * `start()` alone proves nothing: it takes any "already exists" for a lost race, also when the schema holds
 * something else of that name, and it starts without a word on a schema newer than it knows.
 */
async function confirmVersion(database: string | Db, schema: string): Promise<number> {
  const { installed, wanted } = await queueSchemaStatus(database, { schema });
  if (installed === wanted) {
    return installed;
  }
  throw new Error(
    installed === null
      ? "pg-boss did not install: the schema holds objects that are not pg-boss's"
      : `it is at version ${installed} and this build wants ${wanted}`,
  );
}

/**
 * Keeps pg-boss, and Postgres on its behalf, from reading the table of the jobs again and again, which holds all that
 * ended within 15 minutes, while requests wait for a processor:
 *
 * - It is analyzed once 50,000 rows were written or changed. By Postgres's own settings a busy queue is analyzed every
 *   time autovacuum looks, for 300 ms of a processor; and its plans ask for no more than what stays true of it.
 * - An index holds the jobs that are worked on, and there are few. Every two seconds pg-boss looks twice among them for
 *   those of dead workers, and has no index that could tell it.
 * - pg-boss counts all jobs by state each time, for statistics that nobody asks for here, unless that is put off: it
 *   does so itself where it takes too long.
 */
const readLessOften = (schema: string): string => `
  do $$
  declare
    v_jobs constant regclass := '${schema}.job_common';
    v_option constant text := 'autovacuum_analyze_threshold=50000';
  begin
    -- One process after the other: two would both find the index missing, and one fail to make it.
    perform from ${schema}.version for update;
    -- Only once: the option waits for whoever vacuums, and the index for whoever writes.
    if not exists (select from pg_class where oid = v_jobs and v_option = any (reloptions)) then
      execute format('alter table %s set (%s)', v_jobs, v_option);
    end if;
    if to_regclass('${schema}.job_common_active') is null then
      execute format('create index job_common_active on %s (name) where state = ''active''', v_jobs);
    end if;
    update ${schema}.version set monitor_backoff_on = 'infinity'
    where monitor_backoff_on is distinct from 'infinity';
  end
  $$`;

async function finishIndexBuilds(
  boss: PgBoss,
  errors: readonly unknown[],
  waitMs: number,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const unfinished = (await boss.getBamStatus()).filter(({ status }) => status !== "completed");
    if (unfinished.length === 0) {
      return;
    }
    if (errors.length > 0) {
      throw errors[0];
    }
    if (performance.now() > deadline) {
      throw new Error(`its index builds are not finished after ${waitMs} ms`);
    }
    await delay(BUILD_POLL_MS);
  }
}
