import { setTimeout as delay } from "node:timers/promises";

import { type HttpClient, makeHttpClient } from "./http_client.ts";
import type { SummaryAnswer } from "./judge_summaries.ts";
import type { Ledger } from "./ledger.ts";
import { pick, type Random } from "./random.ts";

export interface ReaderFigures {
  readonly answers: number;
  /** Reads that were not answered with a summary. */
  readonly failures: number;
  /** Summaries that say more than was ever sent, which no lag explains. */
  readonly wrong: ReadonlyArray<string>;
}

/** Reads summaries while things break, so that windows are asked for, kept and moved meanwhile. */
export interface Reader {
  readonly start: () => void;
  readonly stop: () => Promise<ReaderFigures>;
}

/** The accounts with the lowest numbers are the largest. */
const ACCOUNTS_READ = 8;
const PAUSE_MS = 100;
const TIMEOUT_MS = 5_000;

export const makeReader = (url: string, ledger: Ledger, random: Random): Reader => {
  const state = { stopping: false };
  let running: Promise<void> | undefined;
  let figures = { answers: 0, failures: 0, wrong: [] as string[] };

  const read = async (get: HttpClient["get"]): Promise<void> => {
    const accountId = `account-${Math.floor(random() * ACCOUNTS_READ)}`;
    const window = pick(random, ["last_24h", "last_7d"]);
    const outcome = await get(`${url}/accounts/${accountId}/summary?window=${window}`);
    if (outcome._tag !== "Answered" || outcome.status !== 200) {
      figures.failures++;
      return;
    }
    figures.answers++;
    const { totals } = JSON.parse(outcome.body) as SummaryAnswer;
    const said = Object.values(totals).reduce((sum, events) => sum + events, 0);
    const sent = ledger.sentTo(accountId);
    if (said > sent) figures.wrong.push(`${window} of ${accountId} said ${said} of ${sent} sent`);
  };

  return {
    start: () => {
      state.stopping = false;
      figures = { answers: 0, failures: 0, wrong: [] };
      const client = makeHttpClient(TIMEOUT_MS);
      running = (async () => {
        while (!state.stopping) {
          await read(client.get);
          await delay(PAUSE_MS);
        }
        client.close();
      })();
    },
    stop: async () => {
      state.stopping = true;
      await running;
      return figures;
    },
  };
};
