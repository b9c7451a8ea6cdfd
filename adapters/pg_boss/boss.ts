import { Context, Effect, FiberSet } from "effect";
import { type Db, PgBoss } from "pg-boss";

import { RECOVERED_AFTER_MS } from "../../core/poll.ts";
import { makeFaultReport } from "../../core/report_faults.ts";
import type { Diagnose } from "../../core/store_failure.ts";
import { QUEUE_SCHEMA } from "./queue_settings.ts";

/** How often the supervisor searches for jobs whose worker died, in seconds. */
const MONITOR_SECONDS = 2;

/** How often it deletes jobs that ended long enough ago, in seconds. */
const MAINTENANCE_SECONDS = 60;

/**
 * Runs a statement on the service's own pool. Without `values` the text may contain several
 * statements. The signal cancels the statement, so it is only for reads.
 */
export type ExecuteSql = (
  text: string,
  values?: unknown[],
  name?: string,
  signal?: AbortSignal,
) => Promise<{ rows: unknown[] }>;

/** How the ports of this folder reach the queue's database: a pool for each purpose. */
export class QueueDatabase extends Context.Service<
  QueueDatabase,
  {
    /** Runs the statements of pg-boss, and our own on its tables. */
    readonly execute: ExecuteSql;
    /** Runs reads that clients request. */
    readonly executeRead: ExecuteSql;
    /** Runs cheap polls. Nothing that a client can make slow runs here. */
    readonly executeControl: ExecuteSql;
    /**
     * Which history of the database this process is in. The number changes when another server
     * takes the place of this one, which may lack what was committed last.
     */
    readonly history: () => number;
    /** Runs statements for as long as that is the history. */
    readonly executeIn: (history: number) => ExecuteSql;
    /** Says why a statement failed. */
    readonly diagnose: Diagnose;
  }
>()("tidemark/pg_boss/QueueDatabase") {}

/** pg-boss itself, once it runs. */
export class Boss extends Context.Service<Boss, PgBoss>()("tidemark/pg_boss/Boss") {}

/**
 * Starts pg-boss, and stops it when the scope closes.
 *
 * @param supervise whether this process redelivers the jobs of dead workers, and deletes old ones
 */
export const openBoss = Effect.fnUntraced(function* (supervise: boolean) {
  const { execute } = yield* QueueDatabase;
  const onError = yield* reportSupervision;
  return yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => startBoss({ execute, supervise, onError }),
      catch: (error) => error,
    }),
    (boss) => Effect.promise(() => boss.stop({ graceful: false })),
  );
});

/**
 * Makes a callback for failures of pg-boss's supervisor, which runs by itself and reports nothing
 * else: it works again when it has not failed for `RECOVERED_AFTER_MS`, in which it runs several
 * times.
 */
export const reportSupervision = Effect.gen(function* () {
  const run = yield* FiberSet.makeRuntime();
  const report = yield* makeFaultReport({
    task: "supervision",
    failing: "The queue is not supervised: jobs of dead workers wait, and ended jobs stay",
    working: "The queue is supervised again",
    recoveredAfterMs: RECOVERED_AFTER_MS,
  });
  const recover = Effect.delay(report.worked, RECOVERED_AFTER_MS);
  return (error: Error): void => {
    run(Effect.andThen(report.failed(error), recover));
  };
});

export interface BossOptions {
  readonly execute: ExecuteSql;
  /** Whether this process redelivers the jobs of dead workers and deletes old jobs. */
  readonly supervise: boolean;
  readonly onError: (error: Error) => void;
}

/** Starts pg-boss on the schema that `npm run migrate` installed; it creates nothing itself. */
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

/** The most prepared statements; further ones run unprepared. */
const PREPARED_MAX = 64;

/** pg-boss sends a handful of large texts. Preparing them saves two thirds of the work. */
export const preparing = (execute: ExecuteSql): Db => ({
  executeSql: (text, values) => {
    // Without values a text may contain several statements, which cannot be prepared.
    if (values === undefined || values.length === 0) return execute(text);
    let name = names.get(text);
    if (name === undefined && names.size < PREPARED_MAX) {
      name = `boss_${names.size}`;
      names.set(text, name);
    }
    return execute(text, values, name);
  },
});

/** The name of each text, the same on every connection. */
const names = new Map<string, string>();
