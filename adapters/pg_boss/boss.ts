import { type Db, PgBoss } from "pg-boss";

import { QUEUE_SCHEMA } from "./queue_settings.ts";

/** How often the supervisor looks for jobs whose worker is gone, in seconds. */
const MONITOR_SECONDS = 2;

/** How often it deletes ended jobs that were kept long enough, in seconds. */
const MAINTENANCE_SECONDS = 60;

/**
 * Runs a statement on the service's own pool. `values` is absent where the text holds several. The signal is for what
 * only reads: it is cancelled when nobody waits any more.
 */
export type ExecuteSql = (
  text: string,
  values?: unknown[],
  name?: string,
  signal?: AbortSignal,
) => Promise<{ rows: unknown[] }>;

export interface BossOptions {
  readonly execute: ExecuteSql;
  /** Whether this process hands the jobs of dead workers to others, and deletes old ones. */
  readonly supervise: boolean;
  readonly onError: (error: Error) => void;
}

/** Starts pg-boss on a schema that the migrations have installed; it creates nothing itself. */
export const startBoss = async ({ execute, supervise, onError }: BossOptions): Promise<PgBoss> => {
  const boss = new PgBoss({
    db: preparing(execute),
    schema: QUEUE_SCHEMA,
    backend: "postgres",
    migrate: false,
    createSchema: false,
    schedule: false,
    supervise,
    superviseIntervalSeconds: MONITOR_SECONDS,
    monitorIntervalSeconds: MONITOR_SECONDS,
    maintenanceIntervalSeconds: MAINTENANCE_SECONDS,
  });
  boss.on("error", onError);
  await boss.start();
  return boss;
};

/** The most statements that are kept prepared; beyond it they run unprepared. */
const PREPARED_MAX = 64;

/** pg-boss sends a handful of texts, large and always the same: parsing them once is a third of the work. */
export const preparing = (execute: ExecuteSql): Db => ({
  executeSql: (text, values) => {
    // Without values a text may hold several statements, which cannot be prepared.
    if (values === undefined || values.length === 0) return execute(text);
    let name = names.get(text);
    if (name === undefined && names.size < PREPARED_MAX) {
      name = `boss_${names.size}`;
      names.set(text, name);
    }
    return execute(text, values, name);
  },
});

/** One name for a text on every connection, whoever sends it. */
const names = new Map<string, string>();
