import type { CaseOptions } from "./case.ts";
import { fillHotAccount, hotPath, readAgainAndAgain, startBareKoa } from "./hot_account.ts";
import { startLoad } from "./load.ts";
import { BACKLOG_BOUNDS } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { withService } from "./with_service.ts";

const EVENTS_PER_REQUEST = 100;
const CLIENTS = 32;
const WARM_UP_MS = 5_000;

/**
 * Hot summaries while the service takes in all that it can, against a bare koa on the same machine beside the
 * same ingest, which has a process to itself.
 */
export const benchReadsBesideIngest = ({ runs }: CaseOptions): Promise<Figure[]> =>
  withService(BACKLOG_BOUNDS, async ({ found: url }) => {
    await fillHotAccount(url);
    const bare = await startBareKoa(url);
    const load = await startLoad(url, EVENTS_PER_REQUEST, CLIENTS);
    const ours: number[] = [];
    const reference: number[] = [];
    try {
      await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
      for (let run = 0; run < runs; run++) {
        reference.push((await readAgainAndAgain(bare.found + hotPath)).requests.average);
        ours.push((await readAgainAndAgain(url + hotPath)).requests.average);
      }
    } finally {
      await load.stop();
      await bare.stop();
    }
    return [
      { name: "bare koa and router beside full ingest", unit: "req/s", runs: reference },
      { name: "hot summaries beside full ingest", unit: "req/s", runs: ours },
      {
        name: "hot summaries against bare koa, both beside full ingest",
        unit: "×",
        runs: ours.map((rate, i) => rate / (reference[i] ?? Number.NaN)),
        goal: { text: "≥ 0.5 ×", met: (ratio) => ratio >= 0.5 },
      },
    ];
  });
