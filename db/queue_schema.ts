import { setTimeout as delay } from "node:timers/promises";

import { type Db, PgBoss } from "pg-boss";
import bossPackage from "pg-boss/package.json" with { type: "json" };

import { TUNE_JOB_TABLE } from "../adapters/pg_boss/private_tables.ts";
import { QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { executorOf, openBuilderPool } from "../adapters/postgres/pool.ts";
import { withClient } from "./client.ts";
import { QueueSchemaFailed } from "./errors.ts";

/** pg-boss runs at most one index build per interval, and 10 s is the shortest that it allows. */
const BUILD_INTERVAL_SECONDS = 10;
const BUILD_POLL_MS = 250;
const BUILD_WAIT_MS_DEFAULT = 30 * 60_000;

export interface InstallQueueSchemaOptions {
  /** Creates the queues while pg-boss is started and may run DDL. */
  readonly installQueues?: (boss: PgBoss) => Promise<void>;
  /** How long to wait for index builds after an upgrade, in milliseconds; default 30 minutes. */
  readonly buildWaitMs?: number;
}

/** The version of pg-boss's schema before (null: not installed) and after an installation. */
export interface QueueSchemaInstalled {
  readonly from: number | null;
  readonly to: number;
}

/**
 * Lets pg-boss install or upgrade its own schema, so that the service can run with `migrate: false`
 * and without the right to run DDL. Several processes can call it at the same time: pg-boss takes
 * an advisory lock, and the others find nothing to do.
 *
 * An upgrade only *enqueues* its `CREATE INDEX CONCURRENTLY` statements (pg-boss: "bam") for an
 * instance with `migrate: true` to run in the background. The service is not such an instance, so
 * this waits until the last index is built.
 *
 * @throws {QueueSchemaFailed} with the reason; calling it again continues where it stopped
 */
export const installQueueSchema = async (
  url: string,
  { installQueues, buildWaitMs = BUILD_WAIT_MS_DEFAULT }: InstallQueueSchemaOptions = {},
): Promise<QueueSchemaInstalled> => {
  // On a pool, because a failed installation leaves its transaction open, and a pool discards such
  // a connection. On one of ours, so that its sessions have our settings.
  const pool = openBuilderPool(url, 1);
  const db: Db = { executeSql: executorOf(pool) };
  const errors: unknown[] = [];
  const boss = new PgBoss({
    db,
    schema: QUEUE_SCHEMA,
    createSchema: true,
    migrate: true,
    supervise: false,
    schedule: false,
    bamIntervalSeconds: BUILD_INTERVAL_SECONDS,
  });
  boss.on("error", (error) => errors.push(error));
  try {
    const { installed: from } = await statusOn(db);
    await boss.start();
    const to = await confirmVersion(db);
    await db.executeSql(TUNE_JOB_TABLE);
    await finishIndexBuilds(boss, errors, buildWaitMs);
    await installQueues?.(boss);
    return { from, to };
  } catch (cause) {
    throw new QueueSchemaFailed(QUEUE_SCHEMA, cause);
  } finally {
    await boss.stop({ graceful: false });
    await pool.close();
  }
};

/**
 * `start()` alone proves nothing: it takes any "already exists" for a lost race, even if the schema
 * contains something else of that name, and it starts silently on a schema that is newer than it
 * knows.
 */
const confirmVersion = async (db: Db): Promise<number> => {
  const { installed, wanted } = await statusOn(db);
  if (installed === wanted) return installed;
  throw new Error(
    installed === null
      ? "pg-boss did not install itself: the schema contains objects that are not pg-boss's"
      : `it has version ${installed}, and this build needs ${wanted}`,
  );
};

const finishIndexBuilds = async (
  boss: PgBoss,
  errors: ReadonlyArray<unknown>,
  waitMs: number,
): Promise<void> => {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const unfinished = (await boss.getBamStatus()).filter(({ status }) => status !== "completed");
    if (unfinished.length === 0) return;
    if (errors.length > 0) throw errors[0];
    if (performance.now() > deadline) {
      throw new Error(`its index builds did not finish within ${waitMs} ms`);
    }
    await delay(BUILD_POLL_MS);
  }
};

/** How pg-boss's schema in the database compares with the pg-boss of this build. */
export interface QueueSchemaStatus {
  /** The version in the database; null if pg-boss is not installed there. */
  readonly installed: number | null;
  /** The only version that this build's pg-boss starts on with `migrate: false`. */
  readonly wanted: number;
  /** Index builds that an upgrade has not finished. */
  readonly unfinishedBuilds: number;
}

/** Reads which version of pg-boss's schema is installed. Writes nothing. */
export const queueSchemaStatus = (url: string): Promise<QueueSchemaStatus> =>
  withClient(url, (client) =>
    statusOn({ executeSql: (text, values) => client.query(text, values) }),
  );

const statusOn = async (db: Db): Promise<QueueSchemaStatus> => {
  // Never started: these calls need only the connection.
  const boss = new PgBoss({ db, schema: QUEUE_SCHEMA });
  const wanted = bossPackage.pgboss.schema;
  if (!(await boss.isInstalled())) return { installed: null, wanted, unfinishedBuilds: 0 };
  const builds = await boss.getBamStatus();
  const unfinishedBuilds = builds
    .filter(({ status }) => status !== "completed")
    .reduce((sum, { count }) => sum + count, 0);
  return { installed: await boss.schemaVersion(), wanted, unfinishedBuilds };
};
