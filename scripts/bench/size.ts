import pg from "pg";

import { runSeed } from "../seed/run_seed.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { Case, CaseOptions } from "./case.ts";
import type { Figure } from "./report.ts";

const SHARDS = 8;
const EVENTS = 1_000_000;

/** What lies on the disk of a schema, tables and indexes apart, in bytes. */
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

/** How much disk events take: generated activity of 1,000 accounts with small metadata, as `npm run seed` makes it. */
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
    // A million bytes, as disks are sold.
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
      shards: SHARDS,
      options: { events, accounts: 1_000, users: 200, days: 7, whale: 0, seed: 1 },
      signal: new AbortController().signal,
      onState: () => {},
    });
    const wal = (await walPosition()) - before;
    const { rows } = await client.query<Sizes>(SIZES);
    const [sizes] = rows;
    if (sizes === undefined) throw new Error("there are no tables");
    return { ...sizes, wal };
  } finally {
    await client.end();
    await close();
  }
};

export const sizeCases: ReadonlyArray<Case> = [
  { name: "size", about: "the disk space that a million events take", run: size },
];
