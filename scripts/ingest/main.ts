import { setTimeout as delay } from "node:timers/promises";

import {
  decimalNumber,
  EXIT_FAILED,
  httpOrigin,
  noMore,
  type OptionValues,
  runCommandLine,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { BATCH_EVENTS_MAX } from "../../core/command/decode_batch.ts";
import { HOUR_MS } from "../../core/time.ts";
import { messageOf } from "../../db/errors.ts";
import { serviceUrl } from "../terminal/service_url.ts";
import { generateActivity, sentEvent, type SentEvent } from "./activity.ts";
import { busyTimes } from "./busy_times.ts";
import { countActivity } from "./expected.ts";
import { type Answer, type HttpClient, makeHttpClient } from "./http_client.ts";
import { withRepeats } from "./repeats.ts";

const USAGE = `Usage: npm run ingest -- [events] [options]

Posts generated events to a running service, waits until its summaries show them, and compares every
summary with a count of its own. Exits 1 when one differs or a request fails.

  events             how many events (default 100000)
  --batch N          events a request, at most ${BATCH_EVENTS_MAX} (default 100)
  --connections N    connections (default 16)
  --accounts N       accounts (default 500)
  --users N          users of each account (default 200)
  --duplicates F     share of events that are sent again, 0 to 1 (default 0.1)
  --seed N           other events (default: the time, so that every run is new)
  --url URL          the service (default: at HOST and PORT, or else http://127.0.0.1:3000)
  --key KEY          an API key with the scopes write and read for all accounts, where the service wants one;
                     better in the variable TIDEMARK_KEY, since others on the machine can read arguments
  --help             show this text
`;

const OPTIONS = {
  batch: { type: "string", default: "100" },
  connections: { type: "string", default: "16" },
  accounts: { type: "string", default: "500" },
  users: { type: "string", default: "200" },
  duplicates: { type: "string", default: "0.1" },
  seed: { type: "string" },
  url: { type: "string" },
  key: { type: "string" },
} as const;

/** They are all in memory. */
const EVENTS_MAX = 10_000_000;
const CONNECTIONS_MAX = 1_000;
const ACCOUNTS_MAX = 1_000_000;

/** How long the summaries may take to show everything once it was accepted. */
const VISIBLE_WITHIN_MS = 120_000;

const main = async (
  values: OptionValues<typeof OPTIONS>,
  [events = "100000", ...surplus]: ReadonlyArray<string>,
): Promise<number> => {
  noMore(surplus);
  const seed = wholeNumber("--seed", values.seed ?? String(Date.now()), {
    min: 0,
    max: Number.MAX_SAFE_INTEGER - 1,
  });
  const batch = wholeNumber("--batch", values.batch, { min: 1, max: BATCH_EVENTS_MAX });
  const connections = wholeNumber("--connections", values.connections, {
    min: 1,
    max: CONNECTIONS_MAX,
  });
  const duplicates = decimalNumber("--duplicates", values.duplicates, { min: 0, max: 1 });
  const url =
    values.url === undefined
      ? httpOrigin("What HOST and PORT name", serviceUrl())
      : httpOrigin("--url", values.url);
  const now = Date.now();
  const activity = generateActivity({
    events: wholeNumber("The number of events", events, { min: 1, max: EVENTS_MAX }),
    accounts: wholeNumber("--accounts", values.accounts, { min: 1, max: ACCOUNTS_MAX }),
    users: wholeNumber("--users", values.users, { min: 1, max: ACCOUNTS_MAX }),
    whale: 0,
    // Inside of the last 24 hours however long the run takes.
    timeAt: busyTimes(now - 20 * HOUR_MS, now - 1_000),
    seed,
    name: String(seed),
  });
  const client = makeHttpClient(url, connections, keyOf(values.key));
  try {
    await check(client, url);
    const sent = [...withRepeats(activity, duplicates, seed + 1)]
      .map(sentEvent)
      .map((event) => ({ ...event, account_id: `${seed}-${event.account_id}` }));
    return await ingest(client, sent, batch, connections);
  } finally {
    client.close();
  }
};

/** The key to show. One that could not be in a header is refused here, where it is not repeated. */
const keyOf = (option: string | undefined): string | undefined => {
  const key = option ?? process.env["TIDEMARK_KEY"] ?? "";
  if (key === "") return undefined;
  if (/^[!-~]+$/.test(key)) return key;
  const name = option === undefined ? "TIDEMARK_KEY" : "--key";
  throw new UsageError(`${name} is no API key: it has characters that none has`);
};

/** Before a minute is spent on making events: is there a service, and does it let us in? */
const check = async (client: HttpClient, url: URL): Promise<void> => {
  const answer = await client.get("/accounts/sample?limit=1").catch((error: unknown) => {
    throw new Error(
      `The service at ${url.origin} cannot be reached: ${messageOf(error)}. ` +
        "Start one with npm start, or name another with --url",
    );
  });
  if (answer.status === 401) {
    throw new Error(
      `The service at ${url.origin} wants an API key with the scopes write and read: ` +
        "put a good one into the variable TIDEMARK_KEY",
    );
  }
  expect(answer, 200, "GET /accounts/sample");
};

/** @throws with what the service says is wrong */
const expect = ({ status, body }: Answer, expected: number, request: string): void => {
  if (status !== expected) throw new Error(`${request} answered ${status}: ${problemIn(body)}`);
};

const SHOWN_CHARACTERS_MAX = 500;

/** What a problem document says is wrong; the beginning of the body when it is none. */
const problemIn = (body: string): string => {
  try {
    const { title, detail } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    if (typeof title === "string" && typeof detail === "string") return `${title}. ${detail}`;
  } catch {
    // It came from something else, such as a proxy.
  }
  return body.slice(0, SHOWN_CHARACTERS_MAX);
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
  print(wrong === 0 ? "Every summary is exact." : `${wrong} summaries are wrong.`);
  return wrong === 0 ? 0 : EXIT_FAILED;
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
      expect(await client.post("/events", body), 202, "POST /events");
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: connections }, send));
  return latencies;
};

/** How long to wait before a summary that does not show everything yet is asked for again. */
const COMPARE_AGAIN_MS = 50;

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
        const answer = await client.get(path);
        expect(answer, 200, "GET the summary of an account");
        const { body } = answer;
        const { totals, top_users } = JSON.parse(body) as Record<string, unknown>;
        if (JSON.stringify({ totals, top_users }) === JSON.stringify(expected)) break;
        if (performance.now() < deadline) {
          await delay(COMPARE_AGAIN_MS);
          continue;
        }
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

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: main,
  explain: messageOf,
});
