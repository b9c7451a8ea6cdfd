import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";

import type { Case, CaseOptions } from "./case.ts";
import { sharesIn } from "./cpu_profile.ts";
import { BACKLOG_BOUNDS, type Ingested, measureIngest } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { withService } from "./with_service.ts";

const LOAD = { eventsPerRequest: 100, clients: 32 };
const SECONDS = 30;

/** The statements of the hot path, by what is in their text; the first that fits. */
const STATEMENTS: ReadonlyArray<readonly [part: string, text: RegExp]> = [
  ["appending", /tidemark\.append\(/],
  ["folding", /read_models\.activity_by_type/],
  ["inserting into the queue", /^INSERT INTO tidemark_queue/],
  ["handing out and settling jobs", /tidemark_queue/],
];
const OTHER_STATEMENTS = "looking at what waits and how far it has come";

/** Where the time of an event goes, from the request until it is counted; once, not `runs` times. */
const breakdown = async ({ scale }: CaseOptions): Promise<Figure[]> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-profile-"));
  try {
    let statements: ReadonlyMap<string, number> = new Map();
    const env = { ...BACKLOG_BOUNDS, NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` };
    const ingested = await withService(env, async (service, databaseUrl) => {
      const watching = watchStatements(databaseUrl);
      const measured = await measureIngest([service], databaseUrl, {
        ...LOAD,
        seconds: SECONDS * scale,
      });
      statements = await (await watching).shares();
      return measured;
    });
    return figuresOf(ingested, await sharesIn(folder), statements);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Begins to count what statements take; `shares` tells it by their part, as shares of 1. */
const watchStatements = async (databaseUrl: string) => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("create extension pg_stat_statements");
  await client.query("select pg_stat_statements_reset()");
  return {
    shares: async (): Promise<ReadonlyMap<string, number>> => {
      const { rows } = await client.query<{ query: string; ms: number }>(
        `select query, total_exec_time as ms from pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())`,
      );
      await client.end();
      const all = rows.reduce((sum, { ms }) => sum + ms, 0);
      const shares = new Map<string, number>();
      for (const { query, ms } of rows) {
        const part = STATEMENTS.find(([, text]) => text.test(query))?.[0] ?? OTHER_STATEMENTS;
        shares.set(part, (shares.get(part) ?? 0) + ms / all);
      }
      return shares;
    },
  };
};

const figuresOf = (
  { rate, cost }: Ingested,
  service: ReadonlyMap<string, number>,
  postgres: ReadonlyMap<string, number>,
): Figure[] => {
  const figure = (name: string, value: number, unit = "µs"): Figure => ({
    name,
    unit,
    runs: [value],
  });
  const parts = (owner: string, total: number, shares: ReadonlyMap<string, number>): Figure[] =>
    [...shares]
      .toSorted(([, a], [, b]) => b - a)
      .map(([part, share]) => figure(`${owner}: ${part}`, share * total));
  const available = (availableParallelism() * 1e6) / rate;
  const used = cost.service + cost.postgres + cost.load;
  return [
    figure("accepted and counted", rate, "events/s"),
    figure("processor time that the machine has, an event", available),
    figure("service", cost.service),
    ...parts("service", cost.service, service),
    figure("Postgres", cost.postgres),
    ...parts("Postgres", cost.postgres, postgres),
    figure("load", cost.load),
    figure("unused, or used by others", available - used),
    figure("write-ahead log, an event", cost.walBytes, "bytes"),
  ];
};

/** What an event costs, part by part. */
export const breakdownCases: ReadonlyArray<Case> = [
  {
    name: "breakdown",
    about: "where the time of an event goes, by part of the service and statement of Postgres",
    run: breakdown,
  },
];
