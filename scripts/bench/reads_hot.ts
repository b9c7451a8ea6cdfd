import {
  CONNECTIONS,
  fillHotAccount,
  hotPath,
  readAgainAndAgain,
  startBareKoa,
} from "./hot_account.ts";
import type { Figure } from "./report.ts";
import { startService } from "./with_service.ts";

/** Hot summaries of a service, against a bare koa that serves the same bytes: in turn, in one run. */
export const benchHotReads = async (databaseUrl: string, runs: number): Promise<Figure[]> => {
  const service = await startService({ DATABASE_URL: databaseUrl });
  try {
    await fillHotAccount(service.found);
    const bare = await startBareKoa(service.found);
    try {
      return await compare(service.found + hotPath, bare.found + hotPath, runs);
    } finally {
      await bare.stop();
    }
  } finally {
    await service.stop();
  }
};

const compare = async (url: string, bareUrl: string, runs: number): Promise<Figure[]> => {
  const ours: number[] = [];
  const bare: number[] = [];
  const ratios: number[] = [];
  const p99: number[] = [];
  const bareP99: number[] = [];
  // The first pair only warms up.
  for (let run = 0; run <= runs; run++) {
    const a = await readAgainAndAgain(bareUrl);
    const b = await readAgainAndAgain(url);
    if (run === 0) continue;
    bare.push(a.requests.average);
    ours.push(b.requests.average);
    ratios.push(b.requests.average / a.requests.average);
    p99.push(b.latency.p99);
    bareP99.push(a.latency.p99);
  }
  return [
    { name: "bare koa and router, same bytes", unit: "req/s", runs: bare },
    { name: "hot summaries", unit: "req/s", runs: ours },
    {
      name: "hot summaries against bare koa",
      unit: "×",
      runs: ratios,
      goal: { text: "≥ 0.9 ×", met: (ratio) => ratio >= 0.9 },
    },
    {
      name: `bare koa and router, p99 at ${CONNECTIONS} connections`,
      unit: "ms",
      runs: bareP99,
    },
    {
      name: `hot summaries, p99 at ${CONNECTIONS} connections`,
      unit: "ms",
      runs: p99,
      goal: { text: "< 5 ms", met: (ms) => ms < 5 },
    },
  ];
};
