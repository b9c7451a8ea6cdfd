import { setTimeout as delay } from "node:timers/promises";

import { DAY_MS } from "../../core/time.ts";
import { generateActivity, sentEvent, type SentEvent, withRepeats } from "../shared/activity.ts";
import { seededRandom } from "../shared/random.ts";
import { inTurn, type Random, shuffle } from "../testbed/choose.ts";
import { makeHttpClient, type Outcome } from "../testbed/http_client.ts";
import type { Ledger } from "./ledger.ts";

/** What the clients send, and how fast. */
export interface LoadProfile {
  readonly clients: number;
  /** The most events of a request; it has at least one. */
  readonly batchMax: number;
  /** The longest pause of a client between two batches, in milliseconds. */
  readonly pauseMaxMs: number;
  /** The share of batches that are posted several times concurrently, from 0 to 1. */
  readonly copiedShare: number;
}

const NORMAL_LOAD: LoadProfile = {
  clients: 8,
  batchMax: 25,
  pauseMaxMs: 250,
  copiedShare: 0.05,
};

/** What the clients saw. */
export interface LoadFigures {
  /** How often each outcome except 202 was seen: a status, or why there was none. */
  readonly failures: ReadonlyMap<string, number>;
  /** How long requests had been in flight when their connection broke, in milliseconds. */
  readonly brokenAfterMs: ReadonlyArray<number>;
  /** The longest time without any 202, in milliseconds. */
  readonly longestOutageMs: number;
  /** The longest time from the first try of a batch until it was accepted, in milliseconds. */
  readonly slowestAcceptedMs: number;
  /** Answers that no fault explains: neither 202, 429 nor 503. */
  readonly wrong: ReadonlyArray<string>;
  /** Batches that were given up without a 202. */
  readonly abandoned: number;
}

/** Clients that send until they are stopped. */
export interface LoadGenerator {
  /** Sets the APIs that the clients send to in turn. */
  readonly sendTo: (urls: ReadonlyArray<string>) => void;
  readonly start: (profile?: LoadProfile) => void;
  /** Starts no more batches, and returns when those in flight are accepted or abandoned. */
  readonly stop: () => Promise<void>;
  /** Returns and resets the figures. */
  readonly takeFigures: () => LoadFigures;
  /** Aborts everything. */
  readonly close: () => Promise<void>;
}

export interface LoadOptions {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly events: Iterator<SentEvent, void>;
  /** The local address of the clients; any by default. */
  readonly localAddress?: string;
}

/** Few enough for the larger accounts to get windows. */
const ACCOUNTS = 60;
const USERS = 40;

/**
 * An endless stream of events of the last days, out of order and with duplicates. The same seed and time give the same
 * events.
 *
 * @param accountId the account of all events; many accounts by default
 */
export const endlessActivity = (
  seed: number,
  now: number,
  accountId?: string,
): Iterator<SentEvent, void> => {
  const random = seededRandom(seed + 1);
  const activity = generateActivity({
    events: Number.POSITIVE_INFINITY,
    accounts: ACCOUNTS,
    users: USERS,
    whale: 0,
    timeAt: () => Math.floor(now - random() * 6 * DAY_MS),
    seed,
    name: String(seed),
  });
  const events = withRepeats(activity, 0.05, seed + 2).map(sentEvent);
  return accountId === undefined
    ? events
    : events.map((event) => ({ ...event, account_id: accountId }));
};

/** After this time without an answer the outcome of a request is unknown. */
const TIMEOUT_MS = 5_000;

/** The pause before a retry. Real clients wait longer, but this measures outages. */
const RETRY_MS = 100;

/** How long a batch is retried after `stop`. */
const LAST_TRIES_MS = 60_000;

const COPIES = 3;

export const makeLoadGenerator = ({
  ledger,
  random,
  events,
  localAddress,
}: LoadOptions): LoadGenerator => {
  const client = makeHttpClient(TIMEOUT_MS, localAddress === undefined ? {} : { localAddress });
  let urls: ReadonlyArray<string> = [];
  let turn = 0;
  let running: Promise<unknown> | undefined;
  const state = { stopping: false };
  let giveUpAt = Number.POSITIVE_INFINITY;
  let lastAcceptedAt = 0;
  let figures = noFigures();

  const takeBatch = (max: number): ReadonlyArray<SentEvent> => {
    const wanted = 1 + Math.floor(random() * max);
    const batch: SentEvent[] = [];
    while (batch.length < wanted) {
      const { value } = events.next();
      if (value !== undefined) batch.push(value);
    }
    return batch;
  };

  const note = (outcome: Outcome): void => {
    const name = outcome._tag === "Answered" ? String(outcome.status) : outcome.reason;
    figures.failures.set(name, (figures.failures.get(name) ?? 0) + 1);
    if (outcome._tag === "Unknown" && outcome.reason !== "timeout") {
      figures.brokenAfterMs.push(outcome.afterMs);
    }
    const expected =
      outcome._tag !== "Answered" || outcome.status === 503 || outcome.status === 429;
    if (!expected) figures.wrong.push(`${outcome.status} ${outcome.body.slice(0, 300)}`);
  };

  const noteAccepted = (firstTriedAt: number): void => {
    const now = performance.now();
    figures.slowestAcceptedMs = Math.max(figures.slowestAcceptedMs, now - firstTriedAt);
    figures.longestOutageMs = Math.max(figures.longestOutageMs, now - lastAcceptedAt);
    lastAcceptedAt = now;
  };

  /** Posts a batch until it is accepted, each time in another order, as a client that batches again might. */
  const deliver = async (batch: ReadonlyArray<SentEvent>): Promise<void> => {
    const firstTriedAt = performance.now();
    let order = batch;
    while (performance.now() < giveUpAt) {
      const url = inTurn(urls, turn++);
      const outcome = await client.post(`${url}/events`, JSON.stringify({ events: order }));
      if (outcome._tag === "Answered" && outcome.status === 202) {
        noteAccepted(firstTriedAt);
        await ledger.accepted(batch);
        return;
      }
      note(outcome);
      await delay(RETRY_MS);
      order = shuffle(random, batch);
    }
    figures.abandoned++;
  };

  const runClient = async (profile: LoadProfile): Promise<void> => {
    while (!state.stopping) {
      const batch = takeBatch(profile.batchMax);
      ledger.sending(batch);
      const copies = random() < profile.copiedShare ? COPIES : 1;
      await Promise.all(
        Array.from({ length: copies }, () => deliver(copies > 1 ? shuffle(random, batch) : batch)),
      );
      await delay(random() * profile.pauseMaxMs);
    }
  };

  return {
    sendTo: (next) => {
      urls = next;
    },
    start: (profile = NORMAL_LOAD) => {
      state.stopping = false;
      giveUpAt = Number.POSITIVE_INFINITY;
      lastAcceptedAt = performance.now();
      running = Promise.all(Array.from({ length: profile.clients }, () => runClient(profile)));
    },
    stop: async () => {
      state.stopping = true;
      giveUpAt = performance.now() + LAST_TRIES_MS;
      await running;
      running = undefined;
    },
    takeFigures: () => {
      const taken = figures;
      figures = noFigures();
      return taken;
    },
    close: async () => {
      state.stopping = true;
      giveUpAt = 0;
      client.close();
      await running;
    },
  };
};

const noFigures = () => ({
  failures: new Map<string, number>(),
  brokenAfterMs: [] as number[],
  longestOutageMs: 0,
  slowestAcceptedMs: 0,
  wrong: [] as string[],
  abandoned: 0,
});
