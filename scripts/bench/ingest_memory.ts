import { readFile } from "node:fs/promises";

import type { CaseOptions } from "./case.ts";
import { startLoad } from "./load.ts";
import { BACKLOG_BOUNDS } from "./measure_ingest.ts";
import type { Figure } from "./report.ts";
import { percentile } from "./statistics.ts";
import { withService } from "./with_service.ts";

const MINUTES = 10;
const EVENTS_PER_REQUEST = 100;
const CLIENTS = 32;
const MIB = 2 ** 20;

/** How much memory a process with all roles has through ten minutes of all that it takes; once, not `runs` times. */
export const benchIngestMemory = ({ scale, say }: CaseOptions): Promise<Figure[]> =>
  withService(BACKLOG_BOUNDS, async (service) => {
    const load = await startLoad(service.found, EVENTS_PER_REQUEST, CLIENTS);
    const samples: number[] = [];
    const seconds = MINUTES * 60 * scale;
    for (let second = 1; second <= seconds; second++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      samples.push(await residentMibOf(service.pid));
      if (second % 60 === 0) say(`${second} s: ${Math.round(samples.at(-1) ?? 0)} MiB`);
    }
    await load.stop();
    const third = Math.floor(samples.length / 3);
    const second = percentile(samples.slice(third, 2 * third), 0.5);
    const last = percentile(samples.slice(2 * third), 0.5);
    return [
      {
        name: "resident memory of one process with all roles, highest",
        unit: "MiB",
        runs: [Math.max(...samples)],
        goal: { text: "≤ 300 MiB", met: (mib) => mib <= 300 },
      },
      {
        name: "its last third against its second, medians",
        unit: "×",
        runs: [last / second],
        goal: { text: "≤ 1.1 ×", met: (ratio) => ratio <= 1.1 },
      },
    ];
  });

/** The memory that Linux says a process has in use. */
const residentMibOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / MIB;
};
