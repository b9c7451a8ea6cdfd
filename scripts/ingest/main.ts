import { parseArgs } from "node:util";

import { HOUR_MS } from "../../core/projection/read_model.ts";
import { generateActivity, sentEvent, type SentEvent } from "./activity.ts";
import { busyTimes } from "./busy_times.ts";
import { countActivity } from "./expected.ts";
import { type HttpClient, makeHttpClient } from "./http_client.ts";
import { withRepeats } from "./repeats.ts";

const USAGE = `Usage: npm run ingest -- [events] [options]

Posts generated events to a running service, waits until its summaries show them, and compares every
summary with a count of its own. Exits 1 when one differs or a request fails.

  events             how many events (default 100000)
  --batch N          events a request (default 100)
  --connections N    connections (default 16)
  --accounts N       accounts (default 500)
  --users N          users of each account (default 200)
  --duplicates F     share of events that are sent again, 0 to 1 (default 0.1)
  --seed N           other events (default: the time, so that every run is new)
  --url URL          the service (default http://127.0.0.1:3000)
`;

/** How long the summaries may take to show everything once it was accepted. */
const VISIBLE_WITHIN_MS = 120_000;

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      batch: { type: "string", default: "100" },
      connections: { type: "string", default: "16" },
      accounts: { type: "string", default: "500" },
      users: { type: "string", default: "200" },
      duplicates: { type: "string", default: "0.1" },
      seed: { type: "string", default: String(Date.now()) },
      url: { type: "string", default: "http://127.0.0.1:3000" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const seed = Number(values.seed);
  const now = Date.now();
  const activity = generateActivity({
    events: Number(positionals[0] ?? 100_000),
    accounts: Number(values.accounts),
    users: Number(values.users),
    whale: 0,
    // Inside of the last 24 hours however long the run takes.
    timeAt: busyTimes(now - 20 * HOUR_MS, now - 1_000),
    seed,
    name: String(seed),
  });
  const sent = [...withRepeats(activity, Number(values.duplicates), seed + 1)]
    .map(sentEvent)
    .map((event) => ({ ...event, account_id: `${seed}-${event.account_id}` }));
  const connections = Number(values.connections);
  const client = makeHttpClient(values.url, connections);
  try {
    return await ingest(client, sent, Number(values.batch), connections);
  } finally {
    client.close();
  }
};

const ingest = async (
  client: HttpClient,
  sent: ReadonlyArray<SentEvent>,
  batch: number,
  connections: number,
): Promise<number> => {
  const bodies = toBodies(sent, batch);
  const start = performance.now();
  const latencies = await postAll(client, bodies, connections);
  const accepted = performance.now();
  const wrong = await compareSummaries(client, sent, connections);
  const visible = performance.now();

  const rate = (end: number): string => Math.round((sent.length / (end - start)) * 1000).toString();
  latencies.sort((a, b) => a - b);
  const percentile = (p: number): string =>
    (latencies[Math.floor(latencies.length * p)] ?? 0).toFixed(1);
  print(`${sent.length} events, ${batch} a request, ${connections} connections`);
  print(`accepted               ${rate(accepted)} events/s`);
  print(`accepted and visible   ${rate(visible)} events/s`);
  print(`POST latency           p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms`);
  print(wrong === 0 ? "every summary is exact" : `${wrong} summaries are wrong`);
  return wrong === 0 ? 0 : 1;
};

const toBodies = (sent: ReadonlyArray<SentEvent>, batch: number): ReadonlyArray<Buffer> => {
  const bodies: Buffer[] = [];
  for (let i = 0; i < sent.length; i += batch) {
    bodies.push(Buffer.from(JSON.stringify({ events: sent.slice(i, i + batch) })));
  }
  return bodies;
};

/** @returns the latency of each request in milliseconds */
const postAll = async (
  client: HttpClient,
  bodies: ReadonlyArray<Buffer>,
  connections: number,
): Promise<number[]> => {
  const latencies: number[] = [];
  const queue = bodies.values();
  const send = async (): Promise<void> => {
    for (const body of queue) {
      const start = performance.now();
      const { status, body: text } = await client.post("/events", body);
      if (status !== 202) throw new Error(`POST /events answered ${status}: ${text.slice(0, 500)}`);
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: connections }, send));
  return latencies;
};

/** Waits until each summary is what it must be; gives the number of those that never became it. */
const compareSummaries = async (
  client: HttpClient,
  sent: ReadonlyArray<SentEvent>,
  connections: number,
): Promise<number> => {
  const deadline = performance.now() + VISIBLE_WITHIN_MS;
  const accounts = countActivity(sent, 10).entries();
  let wrong = 0;
  const compare = async (): Promise<void> => {
    for (const [accountId, expected] of accounts) {
      const path = `/accounts/${encodeURIComponent(accountId)}/summary?window=last_24h`;
      for (;;) {
        const { body } = await client.get(path);
        const { totals, top_users } = JSON.parse(body) as Record<string, unknown>;
        if (JSON.stringify({ totals, top_users }) === JSON.stringify(expected)) break;
        if (performance.now() < deadline) continue;
        wrong++;
        print(`${accountId}: expected ${JSON.stringify(expected)}, got ${body}`);
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, compare));
  return wrong;
};

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

process.exitCode = await main();
