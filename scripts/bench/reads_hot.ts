import autocannon from "autocannon";

import { startChild } from "./child.ts";
import type { Figure } from "./report.ts";

const CONNECTIONS = 32;
const SECONDS = 4;

/** Hot summaries of a service, against a bare koa that serves the same bytes: in turn, in one run. */
export const benchHotReads = async (databaseUrl: string, runs: number): Promise<Figure[]> => {
  const service = await startChild(
    "app/main.ts",
    [],
    { PORT: "0", DATABASE_URL: databaseUrl, LOG_FORMAT: "json" },
    /listens on (http:\S+?)[" ]/,
  );
  const url = `${service.found}/accounts/hot/summary?window=last_7d`;
  try {
    await postEvents(service.found);
    const bytes = await (await fetch(url)).text();
    const bare = await startChild("scripts/bench/bare_koa_process.ts", [bytes], {}, /^(\d+)$/);
    const bareUrl = `http://127.0.0.1:${bare.found}/accounts/hot/summary?window=last_7d`;
    try {
      return await compare(url, bareUrl, runs);
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
    const a = await load(bareUrl);
    const b = await load(url);
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

const load = async (url: string): Promise<autocannon.Result> => {
  const result = await autocannon({ url, connections: CONNECTIONS, duration: SECONDS });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(
      `${url}: ${result.non2xx} answers were no 2xx, ${result.errors} requests failed`,
    );
  }
  return result;
};

const postEvents = async (serviceUrl: string): Promise<void> => {
  const events = Array.from({ length: 100 }, (_, i) => ({
    event_id: `${i}`,
    account_id: "hot",
    user_id: `user-${i % 20}`,
    type: i % 3 === 0 ? "login" : "message_sent",
    timestamp: new Date(Date.now() - 60_000).toISOString(),
  }));
  const { status } = await fetch(`${serviceUrl}/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ events }),
  });
  if (status !== 202) throw new Error(`POST /events answered ${status}`);
  for (;;) {
    const answer = await fetch(`${serviceUrl}/accounts/hot/summary?window=last_7d`);
    const { totals } = (await answer.json()) as { totals: Record<string, number> };
    if (Object.values(totals).reduce((sum, n) => sum + n, 0) === events.length) return;
  }
};
