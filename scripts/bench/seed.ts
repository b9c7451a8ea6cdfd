import pg from "pg";

import { DAY_MS } from "../../core/time.ts";
import type { SeedOptions } from "../seed/options.ts";
import { eventsOf, runSeed } from "../seed/run_seed.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { measureCopy } from "./copy_rows.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { ratios } from "./statistics.ts";
import { SHARDS } from "./with_service.ts";

const EVENTS = 1_000_000;
const ACTIVITY = { accounts: 1_000, users: 200, days: 7, whale: 0, seed: 1 };
const SHARE_MIN = 0.6;

/** The rate at which `npm run seed` fills and counts a log, against COPY of the same rows. */
const seed = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const events = Math.round(EVENTS * scale);
  const options = { ...ACTIVITY, events };
  const copied: number[] = [];
  const seeded: number[] = [];
  for (let run = 0; run < runs; run++) {
    const rows = eventsOf(options, Date.now() - options.days * DAY_MS);
    copied.push(await measureCopy(events, SHARDS, rows));
    seeded.push(await seedOnce(options));
    say(
      `COPY ${Math.round(copied.at(-1) ?? 0)}, seeded and counted ${Math.round(seeded.at(-1) ?? 0)} events/s`,
    );
  }
  return [
    { name: "COPY of the same rows into the log", unit: "events/s", runs: copied },
    {
      name: "npm run seed, appended and counted",
      unit: "events/s",
      runs: seeded,
      goal: { text: "≥ 50,000 events/s", met: (rate) => rate >= 50_000 },
    },
    {
      name: "npm run seed against COPY",
      unit: "×",
      runs: ratios(seeded, copied),
      goal: { text: `≥ ${SHARE_MIN} ×`, met: (ratio) => ratio >= SHARE_MIN },
    },
  ];
};

/** Fills a new log, and returns the events per second until all are in the read models. */
const seedOnce = async (options: SeedOptions): Promise<number> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  try {
    const since = performance.now();
    await runSeed({
      url,
      options,
      signal: new AbortController().signal,
      onState: () => {},
    });
    return options.events / ((performance.now() - since) / 1_000);
  } finally {
    await close();
  }
};

/** The disk space of tables and indexes, in bytes. */
const SIZES = `
select
  sum(pg_table_size(c.oid)) filter (where n.nspname = 'tidemark')::float8 as log_tables,
  sum(pg_indexes_size(c.oid)) filter (where n.nspname = 'tidemark')::float8 as log_indexes,
  sum(pg_total_relation_size(c.oid)) filter (where n.nspname = 'read_models')::float8 as read_models
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm')`;

interface Sizes {
  readonly log_tables: number;
  readonly log_indexes: number;
  readonly read_models: number;
}

/** The disk space of generated activity of 1,000 accounts with small metadata. */
const size = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const events = Math.round(EVENTS * scale);
  const measured: Array<Sizes & { readonly wal: number }> = [];
  for (let run = 0; run < runs; run++) {
    say(`Seeding ${events} events, run ${run + 1} of ${runs}`);
    measured.push(await measureOnce(events));
  }
  const figure = (name: string, bytesOf: (one: (typeof measured)[number]) => number): Figure => ({
    name,
    unit: "MB per million events",
    // A megabyte is a million bytes.
    runs: measured.map((one) => bytesOf(one) / events),
  });
  return [
    figure("log, tables", (one) => one.log_tables),
    figure("log, indexes", (one) => one.log_indexes),
    figure("read models", (one) => one.read_models),
    figure("in all", (one) => one.log_tables + one.log_indexes + one.read_models),
    figure("WAL that was written", (one) => one.wal),
  ];
};

const measureOnce = async (events: number): Promise<Sizes & { readonly wal: number }> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const walPosition = async (): Promise<number> => {
    const { rows } = await client.query("select pg_current_wal_lsn() - '0/0' as bytes");
    return Number((rows[0] as { readonly bytes: string }).bytes);
  };
  try {
    const before = await walPosition();
    await runSeed({
      url,
      options: { ...ACTIVITY, events },
      signal: new AbortController().signal,
      onState: () => {},
    });
    const wal = (await walPosition()) - before;
    const { rows } = await client.query<Sizes>(SIZES);
    const [sizes] = rows;
    if (sizes === undefined) throw new Error("There are no tables");
    return { ...sizes, wal };
  } finally {
    await client.end();
    await close();
  }
};

export const seedCases: ReadonlyArray<Case> = [
  { name: "seed", about: "npm run seed, against COPY of the same rows", run: seed },
  { name: "size", about: "the disk space of a million events", run: size },
];
