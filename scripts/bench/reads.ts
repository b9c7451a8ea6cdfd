import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { Case, CaseOptions } from "./case.ts";
import type { Filling } from "./fill_log.ts";
import { benchReadsBesideIngest } from "./reads_beside_ingest.ts";
import { benchFreshness } from "./reads_fresh.ts";
import { benchHotReads } from "./reads_hot.ts";
import { openFilledLog, percentiles } from "./reads_uncached.ts";
import type { Figure } from "./report.ts";
import { median } from "./statistics.ts";

/** Reads in one round of uncached summaries. */
const READS = 300;

const ACCOUNT_EVENTS = 10_000;
const ACCOUNT_USERS = 200;
const DAYS = 7;

/** Ordinary accounts: each has ten thousand events within seven days. */
const ordinary = (prefix: string, accounts: number): Filling => ({
  accounts: Array.from({ length: accounts }, (_, i) => `${prefix}-${i}`),
  events: accounts * ACCOUNT_EVENTS,
  users: ACCOUNT_USERS,
  days: DAYS,
});

const hot = async ({ runs }: CaseOptions): Promise<Figure[]> => {
  const { url, close } = await createMigratedDatabase(8);
  try {
    return await benchHotReads(url, runs);
  } finally {
    await close();
  }
};

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
  const ratios: number[] = [];
  // One round more, to warm up.
  for (let run = 0; run <= runs; run++) {
    const a = median(await small.read(measured.accounts, "last_7d", READS));
    const b = median(await large.read(measured.accounts, "last_7d", READS));
    if (run === 0) continue;
    at1.push(a);
    at20.push(b);
    ratios.push(b / a);
  }
  await small.close();
  await large.close();
  return [
    { name: "uncached last_7d at 1 million events", unit: "ms", runs: at1 },
    { name: "uncached last_7d at 20 million events", unit: "ms", runs: at20 },
    {
      name: "20 million against 1 million",
      unit: "×",
      runs: ratios,
      goal: { text: "≤ 1.3 ×", met: (ratio) => ratio <= 1.3 },
    },
  ];
};

/** What the read side promises. */
export const readCases: ReadonlyArray<Case> = [
  { name: "reads.hot", about: "summaries that are asked for again and again", run: hot },
  {
    name: "reads.beside_ingest",
    about: "the same while the service takes in all that it can",
    run: benchReadsBesideIngest,
  },
  {
    name: "reads.fresh",
    about: "how soon two processes show a new event in summaries that they have kept",
    run: benchFreshness,
  },
  {
    name: "reads.uncached",
    about: "summaries past the cache, of ordinary accounts and of a whale",
    run: uncached,
  },
  {
    name: "reads.growth",
    about: "uncached summaries in a log of 20 million events and of one million",
    run: growth,
  },
];
