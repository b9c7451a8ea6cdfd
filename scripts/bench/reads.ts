import { Effect } from "effect";

import { createPool, databaseOf, READ_SESSION } from "../../adapters/postgres/pool.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { makeSummaries } from "../../adapters/postgres/summaries.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { rangeOf, type WindowName } from "../../core/summary/range.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { type Filling, fillLog } from "./fill_log.ts";
import { benchFreshness } from "./reads_fresh.ts";
import { benchHotReads, benchReadsBesideIngest } from "./reads_hot.ts";
import type { Case, CaseOptions, Figure } from "./report.ts";
import { median, percentiles, ratios } from "./statistics.ts";
import { SHARDS } from "./with_service.ts";

/** A log with its read models, which is read without a cache. */
interface FilledLog {
  /** Latencies of summaries of random accounts, in milliseconds. */
  readonly read: (
    accounts: ReadonlyArray<string>,
    window: WindowName,
    reads: number,
  ) => Promise<ReadonlyArray<number>>;
  readonly close: () => Promise<void>;
}

/** Fills and folds a log, and prepares the windows of the accounts that will be read. */
const openFilledLog = async (
  fillings: ReadonlyArray<Filling>,
  read: ReadonlyArray<string>,
  say: (line: string) => void,
): Promise<FilledLog> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const since = performance.now();
  const seconds = (): string => `${((performance.now() - since) / 1_000).toFixed(0)} s`;
  await fillLog(url, SHARDS, fillings);
  say(`Filled after ${seconds()}`);
  const options = {
    url,
    connectionsMax: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 600_000,
    onIdleError: () => {},
  };
  const pool = createPool(options);
  const readPool = createPool({ ...options, session: READ_SESSION });
  const projection = makeProjection(databaseOf(pool));
  const summaries = makeSummaries(databaseOf(readPool), SHARDS);
  await Effect.runPromise(Effect.provideService(catchUp, Projection, projection));
  say(`Folded after ${seconds()}`);

  const readOne = (accountId: string, window: WindowName) =>
    Effect.runPromise(summaries.summary(accountId, rangeOf(window, Date.now()), 10));
  for (const accountId of read) await readOne(accountId, "last_7d");
  while (await Effect.runPromise(projection.upkeep));
  say(`Windows prepared after ${seconds()}`);

  return {
    read: async (accounts, window, reads) => {
      const latencies: number[] = [];
      for (let i = 0; i < reads; i++) {
        const accountId = accounts[Math.floor(Math.random() * accounts.length)] ?? "";
        const start = performance.now();
        await readOne(accountId, window);
        latencies.push(performance.now() - start);
        // As the projector does beside reads.
        if (i % 20 === 0) while (await Effect.runPromise(projection.upkeep));
      }
      return latencies;
    },
    close: async () => {
      await pool.end();
      await readPool.end();
      await close();
    },
  };
};

/** Reads in one round of uncached summaries. */
const READS = 300;

const ACCOUNT_EVENTS = 10_000;
const ACCOUNT_USERS = 200;
const DAYS = 7;

/** Ordinary accounts, each with ten thousand events within seven days. */
const ordinary = (prefix: string, accounts: number): Filling => ({
  accounts: Array.from({ length: accounts }, (_, i) => `${prefix}-${i}`),
  events: accounts * ACCOUNT_EVENTS,
  users: ACCOUNT_USERS,
  days: DAYS,
});

const uncached = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const accounts = ordinary("account", 500 * scale);
  const whale: Filling = {
    accounts: ["whale"],
    events: 10_000_000 * scale,
    users: 1_000_000 * scale,
    days: DAYS,
  };
  const log = await openFilledLog([accounts, whale], [...accounts.accounts, "whale"], say);
  try {
    const read = (names: ReadonlyArray<string>) =>
      percentiles(runs, () => log.read(names, "last_7d", READS));
    const ordinaryReads = await read(accounts.accounts);
    const whaleReads = await read(["whale"]);
    return [
      {
        name: "uncached last_7d of an ordinary account beside the whale, p50",
        unit: "ms",
        runs: ordinaryReads.p50,
      },
      {
        name: "uncached last_7d of an ordinary account beside the whale, p99",
        unit: "ms",
        runs: ordinaryReads.p99,
        goal: { text: "≤ 10 ms", met: (ms) => ms <= 10 },
      },
      { name: "uncached last_7d of the whale, p50", unit: "ms", runs: whaleReads.p50 },
      {
        name: "uncached last_7d of the whale, p99",
        unit: "ms",
        runs: whaleReads.p99,
        goal: { text: "≤ 50 ms", met: (ms) => ms <= 50 },
      },
    ];
  } finally {
    await log.close();
  }
};

const growth = async ({ runs, scale, say }: CaseOptions): Promise<Figure[]> => {
  const measured = ordinary("account", 100 * scale);
  const small = await openFilledLog([measured], measured.accounts, say);
  const large = await openFilledLog(
    [measured, ordinary("other", 1_900 * scale)],
    measured.accounts,
    say,
  );
  const at1: number[] = [];
  const at20: number[] = [];
  // The first round only warms up.
  for (let run = 0; run <= runs; run++) {
    const a = median(await small.read(measured.accounts, "last_7d", READS));
    const b = median(await large.read(measured.accounts, "last_7d", READS));
    if (run === 0) continue;
    at1.push(a);
    at20.push(b);
  }
  await small.close();
  await large.close();
  return [
    { name: "uncached last_7d at 1 million events", unit: "ms", runs: at1 },
    { name: "uncached last_7d at 20 million events", unit: "ms", runs: at20 },
    {
      name: "20 million against 1 million",
      unit: "×",
      runs: ratios(at20, at1),
      goal: { text: "≤ 1.3 ×", met: (ratio) => ratio <= 1.3 },
    },
  ];
};

export const readCases: ReadonlyArray<Case> = [
  {
    name: "reads.hot",
    about: "the same summary again and again, against a bare koa",
    run: benchHotReads,
  },
  {
    name: "reads.beside_ingest",
    about: "the same while the service ingests at the highest rate",
    run: benchReadsBesideIngest,
  },
  {
    name: "reads.fresh",
    about: "how soon two processes show a new event in cached summaries",
    run: benchFreshness,
  },
  {
    name: "reads.uncached",
    about: "uncached summaries of ordinary accounts and of a whale",
    run: uncached,
  },
  {
    name: "reads.growth",
    about: "uncached summaries in a log of 20 million events against one million",
    run: growth,
  },
];
