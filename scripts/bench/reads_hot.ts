import { setTimeout as delay } from "node:timers/promises";

import autocannon from "autocannon";

import { startLoad } from "./load.ts";
import { BACKLOG_BOUNDS } from "./measure_ingest.ts";
import type { CaseOptions, Figure } from "./report.ts";
import { ratios } from "./statistics.ts";
import { type Child, startChild, withService } from "./with_service.ts";

/** The summary of one account, which is read again and again. */
const hotPath = "/accounts/hot/summary?window=last_7d";

const CONNECTIONS = 32;
const SECONDS = 4;

/** Starts a bare koa and router that serve the same answer from memory; `found` is its URL. */
const startBareKoa = async (serviceUrl: string): Promise<Child> => {
  const bytes = await (await fetch(serviceUrl + hotPath)).text();
  const bare = await startChild("scripts/bench/bare_koa_process.ts", [bytes], {}, /^(\d+)$/);
  return { ...bare, found: `http://127.0.0.1:${bare.found}` };
};

/** Reads the hot summary as fast as it is answered. */
const readHot = async (baseUrl: string): Promise<autocannon.Result> => {
  const url = baseUrl + hotPath;
  const result = await autocannon({ url, connections: CONNECTIONS, duration: SECONDS });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(
      `${url}: ${result.non2xx} answers were not 2xx, ${result.errors} requests failed`,
    );
  }
  return result;
};

/** Posts a hundred events of the hot account, and waits until its summary shows them. */
const fillHotAccount = async (serviceUrl: string): Promise<void> => {
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
    const answer = await fetch(serviceUrl + hotPath);
    const { totals } = (await answer.json()) as { totals: Record<string, number> };
    if (Object.values(totals).reduce((sum, n) => sum + n, 0) === events.length) return;
  }
};

/** Runs `use` with a service and a bare koa that answer the hot summary. */
const withHotAccount = (
  env: Readonly<Record<string, string>>,
  use: (url: string, bareUrl: string) => Promise<Figure[]>,
): Promise<Figure[]> =>
  withService(env, async ({ found: url }) => {
    await fillHotAccount(url);
    const bare = await startBareKoa(url);
    try {
      return await use(url, bare.found);
    } finally {
      await bare.stop();
    }
  });

/** Hot summaries of a service, against a bare koa that serves the same bytes, in turn. */
export const benchHotReads = ({ runs }: CaseOptions): Promise<Figure[]> =>
  withHotAccount({}, async (url, bareUrl) => {
    const ours: number[] = [];
    const bare: number[] = [];
    const p99: number[] = [];
    const bareP99: number[] = [];
    // The first pair only warms up.
    for (let run = 0; run <= runs; run++) {
      const a = await readHot(bareUrl);
      const b = await readHot(url);
      if (run === 0) continue;
      bare.push(a.requests.average);
      ours.push(b.requests.average);
      p99.push(b.latency.p99);
      bareP99.push(a.latency.p99);
    }
    return [
      { name: "bare koa and router, same bytes", unit: "req/s", runs: bare },
      { name: "hot summaries", unit: "req/s", runs: ours },
      {
        name: "hot summaries against bare koa",
        unit: "×",
        runs: ratios(ours, bare),
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
  });

const EVENTS_PER_REQUEST = 100;
const CLIENTS = 32;
const WARM_UP_MS = 5_000;

/** Hot summaries against a bare koa, both while the service ingests at the highest rate. */
export const benchReadsBesideIngest = ({ runs }: CaseOptions): Promise<Figure[]> =>
  withHotAccount(BACKLOG_BOUNDS, async (url, bareUrl) => {
    const load = await startLoad(url, EVENTS_PER_REQUEST, CLIENTS);
    const ours: number[] = [];
    const reference: number[] = [];
    try {
      await delay(WARM_UP_MS);
      for (let run = 0; run < runs; run++) {
        reference.push((await readHot(bareUrl)).requests.average);
        ours.push((await readHot(url)).requests.average);
      }
    } finally {
      await load.stop();
    }
    return [
      { name: "bare koa and router beside full ingest", unit: "req/s", runs: reference },
      { name: "hot summaries beside full ingest", unit: "req/s", runs: ours },
      {
        name: "hot summaries against bare koa, both beside full ingest",
        unit: "×",
        runs: ratios(ours, reference),
        goal: { text: "≥ 0.5 ×", met: (ratio) => ratio >= 0.5 },
      },
    ];
  });
