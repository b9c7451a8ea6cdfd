import pg from "pg";

import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { Case, CaseOptions } from "./case.ts";
import { startChild } from "./child.ts";
import { measureCopy } from "./copy_rows.ts";
import { cpuSecondsOf, cpuSecondsOfPostgres } from "./cpu_time.ts";
import type { Figure } from "./report.ts";

const SHARDS = 8;
const COPY_EVENTS = 500_000;
const SECONDS = 60;
const WARM_UP_SECONDS = 8;

/** Small enough that the load is held back to what is counted, so that no backlog grows. */
const BACKLOG_MAX = "30000";

/** How fast a service takes in events and counts them, steadily, against COPY into a log. */
const ingest =
  (eventsPerRequest: number, clients: number, share: number) =>
  async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
    const copied: number[] = [];
    const counted: number[] = [];
    const backlogs: number[] = [];
    const costs: Cost[] = [];
    for (let run = 0; run < runs; run++) {
      copied.push(await measureCopy(COPY_EVENTS, SHARDS));
      const { rate, backlog, cost } = await ingestOnce(eventsPerRequest, clients, SECONDS * scale);
      counted.push(rate);
      backlogs.push(backlog);
      costs.push(cost);
      say(
        `COPY ${Math.round(copied.at(-1) ?? 0)}, accepted and counted ${Math.round(rate)} events/s`,
      );
    }
    return [
      { name: "COPY into the log", unit: "events/s", runs: copied },
      {
        name: `${eventsPerRequest} events a request, accepted and counted`,
        unit: "events/s",
        runs: counted,
      },
      {
        name: `${eventsPerRequest} events a request against COPY`,
        unit: "×",
        runs: counted.map((rate, i) => rate / (copied[i] ?? Number.NaN)),
        goal: { text: `≥ ${share} ×`, met: (ratio) => ratio >= share },
      },
      { name: "accepted and not yet counted at the end", unit: "events", runs: backlogs },
      ...COSTS.map(([part, name, unit]) => ({
        name,
        unit,
        runs: costs.map((cost) => cost[part]),
      })),
    ];
  };

const COSTS = [
  ["service", "processor time of the service, an event", "µs"],
  ["postgres", "processor time of Postgres, an event", "µs"],
  ["load", "processor time of the load, an event", "µs"],
  ["transactions", "transactions, a thousand events", ""],
  ["walBytes", "write-ahead log, an event", "bytes"],
] as const;

/** What an event costs. */
type Cost = Readonly<Record<(typeof COSTS)[number][0], number>>;

const ingestOnce = async (eventsPerRequest: number, clients: number, seconds: number) => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const settings = { QUEUE_DEPTH_MAX: BACKLOG_MAX, LAG_EVENTS_MAX: BACKLOG_MAX };
  const service = await startChild(
    "app/main.ts",
    [],
    { PORT: "0", DATABASE_URL: url, LOG_FORMAT: "json", ...settings },
    /listens on (http:\S+?)[" ]/,
  );
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const numberIn = async (query: string): Promise<number> => (await client.query(query)).rows[0].n;
  const positions = async (table: string): Promise<number> => {
    const { rows } = await client.query(`select sum(position)::float8 as sum from ${table}`);
    return rows[0].sum as number;
  };
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  try {
    const args = [service.found, String(eventsPerRequest), String(clients)];
    const load = await startChild("scripts/bench/post_process.ts", args, {}, /^(ready)$/);
    await wait(WARM_UP_SECONDS * 1_000);
    const { rows: log } = await client.query("select pg_current_wal_lsn() as lsn");
    const used = async () => ({
      transactions: await numberIn(
        "select xact_commit::float8 as n from pg_stat_database where datname = current_database()",
      ),
      walBytes: await numberIn(
        `select pg_wal_lsn_diff(pg_current_wal_lsn(), '${log[0].lsn}')::float8 as n`,
      ),
      service: await cpuSecondsOf(service.pid),
      postgres: await cpuSecondsOfPostgres(client),
      load: await cpuSecondsOf(load.pid),
    });
    const before = await positions("read_models.checkpoints");
    const usedBefore = await used();
    const since = performance.now();
    await wait(seconds * 1_000);
    const after = await positions("read_models.checkpoints");
    const rate = (after - before) / ((performance.now() - since) / 1_000);
    const usedAfter = await used();
    const perEvent = (part: keyof typeof usedAfter): number =>
      (usedAfter[part] - usedBefore[part]) / (after - before);
    const cost: Cost = {
      service: perEvent("service") * 1e6,
      postgres: perEvent("postgres") * 1e6,
      load: perEvent("load") * 1e6,
      transactions: perEvent("transactions") * 1_000,
      walBytes: perEvent("walBytes"),
    };
    await load.stop();
    const atEnd = await positions("read_models.checkpoints");
    // Until all that was accepted is counted.
    for (let last = -1, now = atEnd; last !== now;) {
      last = now;
      await wait(1_500);
      now = await positions("read_models.checkpoints");
    }
    return { rate, cost, backlog: (await positions("tidemark.log_heads")) - atEnd };
  } finally {
    await client.end();
    await service.stop();
    await close();
  }
};

/** What the write side promises. */
export const ingestCases: ReadonlyArray<Case> = [
  { name: "ingest.10", about: "10 events a request, against COPY", run: ingest(10, 64, 0.25) },
  { name: "ingest.100", about: "100 events a request, against COPY", run: ingest(100, 32, 0.45) },
  {
    name: "ingest.1000",
    about: "1,000 events a request, against COPY",
    run: ingest(1_000, 8, 0.45),
  },
];
