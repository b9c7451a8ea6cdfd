import { setTimeout as delay } from "node:timers/promises";

import {
  EXIT_FAILED,
  option,
  runCommand,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { BATCH_EVENTS_MAX } from "../../core/command/decode_batch.ts";
import { messageOf } from "../../core/printable.ts";
import { HOUR_MS } from "../../core/time.ts";
import {
  busyTimes,
  generateActivity,
  sentEvent,
  type SentEvent,
  withRepeats,
} from "../shared/activity.ts";
import { serviceOrigin } from "../shared/service_url.ts";
import { countActivity } from "./expected.ts";

/** They are all in memory. */
const EVENTS_MAX = 10_000_000;
const CONNECTIONS_MAX = 1_000;
const ACCOUNTS_MAX = 1_000_000;

/** How long the summaries may take to show everything after it was accepted. */
const VISIBLE_WITHIN_MS = 120_000;

/** @throws UsageError for a key that cannot be in a header, without repeating it */
const keyOf = (given: string | undefined): string | undefined => {
  const key = given ?? process.env["TIDEMARK_KEY"] ?? "";
  if (key === "") return undefined;
  if (/^[!-~]+$/.test(key)) return key;
  const name = given === undefined ? "TIDEMARK_KEY" : "--key";
  throw new UsageError(`${name} is not an API key: it contains spaces or other invalid characters`);
};

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends one request: a POST if there is a body. */
type Send = (path: string, body?: string) => Promise<Answer>;

const makeSend =
  ({ origin }: URL, key: string | undefined): Send =>
  async (path, body) => {
    const headers = {
      ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    };
    const request = body === undefined ? { headers } : { method: "POST", headers, body };
    try {
      const response = await fetch(origin + path, request);
      return { status: response.status, body: await response.text() };
    } catch (error) {
      // The error of fetch itself says only that it failed.
      throw new Error(
        `The service at ${origin} cannot be reached: ${messageOf((error as Error).cause ?? error)}. ` +
          "Start one with npm start, or name another one with --url.",
        { cause: error },
      );
    }
  };

/** Checks that the service answers and accepts the key, before events are generated. */
const checkService = async (send: Send, { origin }: URL): Promise<void> => {
  const answer = await send("/accounts/sample?limit=1");
  if (answer.status === 401) {
    throw new Error(
      `The service at ${origin} needs a valid API key with the scopes write and read. Set the variable TIDEMARK_KEY.`,
    );
  }
  expectStatus(answer, 200, "GET /accounts/sample");
};

/** @throws with the problem that the service reports */
const expectStatus = ({ status, body }: Answer, expected: number, request: string): void => {
  if (status !== expected) throw new Error(`${request} answered ${status}: ${problemIn(body)}`);
};

const SHOWN_CHARACTERS_MAX = 500;

/** The text of a problem document, or else the start of the body. */
const problemIn = (body: string): string => {
  try {
    const { title, detail } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    if (typeof title === "string" && typeof detail === "string") return `${title}. ${detail}`;
  } catch {
    // The answer came from something else, such as a proxy.
  }
  return body.slice(0, SHOWN_CHARACTERS_MAX);
};

const ingest = async (
  send: Send,
  sent: ReadonlyArray<SentEvent>,
  batch: number,
  connections: number,
): Promise<number> => {
  const bodies = toBodies(sent, batch);
  const start = performance.now();
  const latencies = await postAll(send, bodies, connections);
  const accepted = performance.now();
  const wrong = await compareSummaries(send, sent, connections);
  const visible = performance.now();

  const rate = (end: number): string => Math.round((sent.length / (end - start)) * 1000).toString();
  latencies.sort((a, b) => a - b);
  const percentile = (p: number): string =>
    (latencies[Math.floor(latencies.length * p)] ?? 0).toFixed(1);
  print(`${sent.length} events, ${batch} per request, ${connections} connections`);
  print(`accepted               ${rate(accepted)} events/s`);
  print(`accepted and visible   ${rate(visible)} events/s`);
  print(`POST latency           p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms`);
  print(wrong === 0 ? "Every summary is exact." : `${wrong} summaries are wrong.`);
  return wrong === 0 ? 0 : EXIT_FAILED;
};

const toBodies = (sent: ReadonlyArray<SentEvent>, batch: number): ReadonlyArray<string> => {
  const bodies: string[] = [];
  for (let i = 0; i < sent.length; i += batch) {
    bodies.push(JSON.stringify({ events: sent.slice(i, i + batch) }));
  }
  return bodies;
};

/** @returns the latency of each request in milliseconds */
const postAll = async (
  send: Send,
  bodies: ReadonlyArray<string>,
  connections: number,
): Promise<number[]> => {
  const latencies: number[] = [];
  const queue = bodies.values();
  const postNext = async (): Promise<void> => {
    for (const body of queue) {
      const start = performance.now();
      expectStatus(await send("/events", body), 202, "POST /events");
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: connections }, postNext));
  return latencies;
};

const COMPARE_EVERY_MS = 50;

/** Waits until each summary is correct, and returns the number of summaries that never were. */
const compareSummaries = async (
  send: Send,
  sent: ReadonlyArray<SentEvent>,
  connections: number,
): Promise<number> => {
  const deadline = performance.now() + VISIBLE_WITHIN_MS;
  const accounts = countActivity(sent, 10).entries();
  let wrong = 0;
  const compareNext = async (): Promise<void> => {
    for (const [accountId, expected] of accounts) {
      const path = `/accounts/${encodeURIComponent(accountId)}/summary?window=last_24h`;
      for (;;) {
        const answer = await send(path);
        expectStatus(answer, 200, "GET the summary of an account");
        const { totals, top_users } = JSON.parse(answer.body) as Record<string, unknown>;
        if (JSON.stringify({ totals, top_users }) === JSON.stringify(expected)) break;
        if (performance.now() < deadline) {
          await delay(COMPARE_EVERY_MS);
          continue;
        }
        wrong++;
        print(`${accountId}: expected ${JSON.stringify(expected)}, got ${answer.body}`);
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, compareNext));
  return wrong;
};

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const COUNT = { min: 1, max: ACCOUNTS_MAX };

process.exitCode = await runCommand({
  name: "npm run ingest",
  about:
    "Posts generated events to a running service, waits until its summaries show them, and " +
    "compares every summary with a count of its own. Exits with 1 if a summary differs or a " +
    "request fails.",
  arguments: { "[EVENTS]": "Number of events (default 100000)" },
  options: {
    batch: option.whole(`Events per request, at most ${BATCH_EVENTS_MAX}`, {
      min: 1,
      max: BATCH_EVENTS_MAX,
      default: 100,
    }),
    connections: option.whole("Concurrent requests", { min: 1, max: CONNECTIONS_MAX, default: 16 }),
    accounts: option.whole("Number of accounts", { ...COUNT, default: 500 }),
    users: option.whole("Users of each account", { ...COUNT, default: 200 }),
    duplicates: option.decimal("Share of events that repeat earlier ones, from 0 to 1", {
      min: 0,
      max: 1,
      default: 0.1,
    }),
    seed: option.whole("Repeats the events of another run (default: the current time)", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER - 1,
    }),
    url: option.text("URL", "The service (default: HOST and PORT, else http://127.0.0.1:3000)"),
    key: option.text(
      "KEY",
      "An API key with the scopes write and read for all accounts, if the service needs one. The variable TIDEMARK_KEY is " +
        "safer, because other users of the machine can read arguments",
    ),
  },
  run: async (options, [text = "100000"]) => {
    const { seed = Date.now(), batch, connections, duplicates, accounts, users } = options;
    const events = wholeNumber("The number of events", text, { min: 1, max: EVENTS_MAX });
    const url = serviceOrigin(options.url);
    const send = makeSend(url, keyOf(options.key));
    await checkService(send, url);
    const now = Date.now();
    // Within the last 24 hours, however long the run takes.
    const timeAt = busyTimes(now - 20 * HOUR_MS, now - 1_000);
    const name = String(seed);
    const activity = generateActivity({ events, accounts, users, whale: 0, timeAt, seed, name });
    const sent = [...withRepeats(activity, duplicates, seed + 1)]
      .map(sentEvent)
      .map((event) => ({ ...event, account_id: `${seed}-${event.account_id}` }));
    return ingest(send, sent, batch, connections);
  },
});
