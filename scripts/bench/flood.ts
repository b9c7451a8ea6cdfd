import { createMigratedDatabase } from "../test/migrated_database.ts";
import type { Case, CaseOptions } from "./case.ts";
import { startChild } from "./child.ts";
import { followEvents } from "./follow_events.ts";
import type { Figure } from "./report.ts";
import { percentile } from "./statistics.ts";

const SHARDS = 8;
const QUIET_ACCOUNTS = 10;
const SECONDS = 15;

/** How much the flood sends: far more than the service takes, so that what it sends piles up. */
const FLOOD_EVENTS = "1000";
const FLOOD_CLIENTS = "16";

/** How soon ten quiet tenants see their events, alone and while another one floods the service. */
const flood = async ({ runs }: CaseOptions): Promise<Figure[]> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  const service = await startChild(
    "app/main.ts",
    [],
    { PORT: "0", DATABASE_URL: url, LOG_FORMAT: "json" },
    /listens on (http:\S+?)[" ]/,
  );
  const follow = () => followEvents([service.found], "quiet", QUIET_ACCOUNTS, SECONDS);
  const alone: number[] = [];
  const beside: number[] = [];
  try {
    await follow();
    for (let run = 0; run < runs; run++) {
      alone.push(percentile(await follow(), 0.99));
      const args = [service.found, FLOOD_EVENTS, FLOOD_CLIENTS, "flood"];
      const flooding = await startChild("scripts/bench/post_process.ts", args, {}, /^(ready)$/);
      beside.push(percentile(await follow(), 0.99));
      await flooding.stop();
    }
  } finally {
    await service.stop();
    await close();
  }
  return [
    { name: "from the 202 until shown, ten quiet tenants alone, p99", unit: "ms", runs: alone },
    {
      name: "the same while another one floods the service, p99",
      unit: "ms",
      runs: beside,
      goal: { text: "≤ 3,000 ms", met: (ms) => ms <= 3_000 },
    },
  ];
};

/** Whether one tenant can keep the others waiting. */
export const floodCases: ReadonlyArray<Case> = [
  { name: "flood", about: "ten quiet tenants while another one sends all that it can", run: flood },
];
