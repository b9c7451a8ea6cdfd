import { setTimeout as delay } from "node:timers/promises";

import { createMigratedDatabase } from "../test/migrated_database.ts";
import { redisMissing, startRedisServer } from "../test/redis_server.ts";
import { followEvents, type Shown, summaryOf } from "./follow_events.ts";
import { sendOpenLoad } from "./open_load.ts";
import type { CaseOptions, Figure } from "./report.ts";
import { percentile } from "./statistics.ts";
import { type Child, SHARDS, startService } from "./with_service.ts";

const LOAD = { requestsPerSecond: 20, seconds: 20, eventsPerRequest: 100 };
const PROBE_ACCOUNTS = 20;

/**
 * Two processes with the API, one worker and projector, one Postgres and one Redis under a steady
 * load: how soon an event is visible in the summary of its account, which both have cached.
 */
export const benchFreshness = async ({ runs, say }: CaseOptions): Promise<Figure[]> => {
  if (redisMissing !== undefined) throw new Error(redisMissing);
  const { url: DATABASE_URL, close } = await createMigratedDatabase(SHARDS);
  const redis = await startRedisServer();
  const children: Child[] = [];
  const start = async (ROLES: string): Promise<string> => {
    const child = await startService({ DATABASE_URL, REDIS_URL: redis.url, ROLES });
    children.push(child);
    return child.found;
  };
  try {
    const urls = [await start("api"), await start("api")] as const;
    await start("worker,projector");
    const p50: number[] = [];
    const p99: number[] = [];
    const max: number[] = [];
    let differing = 0;
    // The first round only warms up.
    for (let run = 0; run <= runs; run++) {
      const load = sendOpenLoad(urls[0], LOAD);
      const probed = await followEvents(urls, "probe", PROBE_ACCOUNTS, LOAD.seconds - 2);
      await load;
      differing += await countDiffering(urls);
      if (run === 0) continue;
      p50.push(percentile(probed, 0.5));
      p99.push(percentile(probed, 0.99));
      max.push(Math.max(...probed));
      say(`${probed.length} events were followed`);
    }
    return [
      {
        name: "from the 202 until both of two processes show an event, p50",
        unit: "ms",
        runs: p50,
      },
      {
        name: "the same, p99",
        unit: "ms",
        runs: p99,
        goal: { text: "≤ 1,000 ms", met: (ms) => ms <= 1_000 },
      },
      { name: "the same, longest", unit: "ms", runs: max },
      {
        name: "accounts that the two answer differently a second later",
        unit: "",
        runs: [differing],
        goal: { text: "0", met: (accounts) => accounts === 0 },
      },
    ];
  } finally {
    for (const child of children.toReversed()) await child.stop();
    await redis.close();
    await close();
  }
};

/** Counts accounts whose summaries differ between the processes a second after the last write. */
const countDiffering = async (urls: readonly [string, string]): Promise<number> => {
  await delay(1_000);
  const sample = await fetch(`${urls[0]}/accounts/sample?limit=100`);
  const { account_ids } = (await sample.json()) as { account_ids: string[] };
  let differing = 0;
  for (const account of account_ids) {
    const [one, two] = await Promise.all(urls.map((url) => summaryOf(url, account)));
    const shown = (summary: Shown | undefined) =>
      JSON.stringify([summary?.totals, summary?.top_users]);
    if (shown(one) !== shown(two)) differing++;
  }
  return differing;
};
