import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Case, CaseOptions, Figure } from "./report.ts";
import { startService } from "./with_service.ts";

/** The time from `npm start` until the service is ready, with the embedded database. */
const start = async ({ runs }: CaseOptions): Promise<Figure[]> => {
  const empty: number[] = [];
  const existing: number[] = [];
  for (let run = 0; run < runs; run++) {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-start-"));
    try {
      const DATA_DIR = join(folder, "data");
      empty.push(await untilReady(DATA_DIR));
      existing.push(await untilReady(DATA_DIR));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return [
    {
      name: "from the start until ready, empty data folder",
      unit: "s",
      runs: empty,
      goal: { text: "≤ 3 s", met: (seconds) => seconds <= 3 },
    },
    {
      name: "from the start until ready, existing data folder",
      unit: "s",
      runs: existing,
      goal: { text: "≤ 1.5 s", met: (seconds) => seconds <= 1.5 },
    },
  ];
};

const untilReady = async (DATA_DIR: string): Promise<number> => {
  const since = performance.now();
  const service = await startService({ DATA_DIR, DATABASE_URL: "" });
  const { ok } = await fetch(`${service.found}/readyz`);
  const seconds = (performance.now() - since) / 1_000;
  await service.stop();
  if (!ok) throw new Error("The service listens but is not ready");
  return seconds;
};

export const startCases: ReadonlyArray<Case> = [
  {
    name: "start",
    about: "from the start until ready, on an empty and an existing data folder",
    run: start,
  },
];
