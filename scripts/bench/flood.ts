import type { Case, CaseOptions } from "./case.ts";
import { followEvents } from "./follow_events.ts";
import { startLoad } from "./load.ts";
import type { Figure } from "./report.ts";
import { percentile } from "./statistics.ts";
import { withService } from "./with_service.ts";

const QUIET_ACCOUNTS = 10;
const SECONDS = 15;

/** How much the flood sends: far more than the service takes, so that what it sends piles up. */
const FLOOD_EVENTS = 1_000;
const FLOOD_CLIENTS = 16;

/** How soon ten quiet tenants see their events, alone and while another one floods the service. */
const flood = ({ runs }: CaseOptions): Promise<Figure[]> =>
  withService({}, async ({ found: url }) => {
    const follow = () => followEvents([url], "quiet", QUIET_ACCOUNTS, SECONDS);
    const alone: number[] = [];
    const beside: number[] = [];
    await follow();
    for (let run = 0; run < runs; run++) {
      alone.push(percentile(await follow(), 0.99));
      const flooding = await startLoad(url, FLOOD_EVENTS, FLOOD_CLIENTS, "flood");
      beside.push(percentile(await follow(), 0.99));
      await flooding.stop();
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
  });

/** Whether one tenant can keep the others waiting. */
export const floodCases: ReadonlyArray<Case> = [
  { name: "flood", about: "ten quiet tenants while another one sends all that it can", run: flood },
];
