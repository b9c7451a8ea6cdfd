import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";

import { cpuSecondsOf, cpuSecondsOfPostgres } from "./cpu_time.ts";
import { startLoad } from "./load.ts";
import type { Child } from "./with_service.ts";

/** A load, and for how long it is measured. */
export interface IngestLoad {
  readonly eventsPerRequest: number;
  readonly clients: number;
  readonly seconds: number;
}

/** Costs per event: microseconds of processor time, transactions per thousand, and bytes. */
export interface Cost {
  readonly service: number;
  readonly postgres: number;
  readonly load: number;
  readonly transactions: number;
  readonly walBytes: number;
}

export interface Ingested {
  /** Events per second that were accepted, appended and counted. */
  readonly rate: number;
  /** Events that were accepted and not counted at the end of the measurement. */
  readonly backlog: number;
  readonly cost: Cost;
}

const WARM_UP_SECONDS = 8;

/**
 * Small bounds, so that admission control limits the load to what is counted and no backlog grows.
 * The load comes from one client, which can use three quarters of them.
 */
export const BACKLOG_BOUNDS = { QUEUE_DEPTH_MAX: "40000", LAG_EVENTS_MAX: "40000" } as const;

/** Loads a service at the highest rate, and measures how many events are counted. */
export const measureIngest = async (
  services: ReadonlyArray<Child>,
  databaseUrl: string,
  { eventsPerRequest, clients, seconds }: IngestLoad,
): Promise<Ingested> => {
  const [first] = services;
  if (first === undefined) throw new Error("There is no service to load");
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const numberIn = async (query: string): Promise<number> => (await client.query(query)).rows[0].n;
  const counted = () => numberIn("select sum(position)::float8 as n from read_models.checkpoints");
  const appended = () => numberIn("select sum(position)::float8 as n from tidemark.log_heads");
  try {
    const load = await startLoad(first.found, eventsPerRequest, clients);
    await delay(WARM_UP_SECONDS * 1_000);
    const { rows: log } = await client.query("select pg_current_wal_lsn() as lsn");
    const used = async (): Promise<Cost> => ({
      transactions: await numberIn(
        "select xact_commit::float8 as n from pg_stat_database where datname = current_database()",
      ),
      walBytes: await numberIn(
        `select pg_wal_lsn_diff(pg_current_wal_lsn(), '${log[0].lsn}')::float8 as n`,
      ),
      service: sumOf(await Promise.all(services.map(({ pid }) => cpuSecondsOf(pid)))),
      postgres: await cpuSecondsOfPostgres(client),
      load: await cpuSecondsOf(load.pid),
    });
    const before = await counted();
    const usedBefore = await used();
    const since = performance.now();
    await delay(seconds * 1_000);
    const after = await counted();
    const rate = (after - before) / ((performance.now() - since) / 1_000);
    const usedAfter = await used();
    const perEvent = (part: keyof Cost): number =>
      (usedAfter[part] - usedBefore[part]) / (after - before);
    await load.stop();
    const atEnd = await counted();
    // Until all that was accepted is counted.
    for (let last = -1, now = atEnd; last !== now;) {
      last = now;
      await delay(1_500);
      now = await counted();
    }
    return {
      rate,
      backlog: (await appended()) - atEnd,
      cost: {
        service: perEvent("service") * 1e6,
        postgres: perEvent("postgres") * 1e6,
        load: perEvent("load") * 1e6,
        transactions: perEvent("transactions") * 1_000,
        walBytes: perEvent("walBytes"),
      },
    };
  } finally {
    await client.end();
  }
};

const sumOf = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, each) => sum + each, 0);
