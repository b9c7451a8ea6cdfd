import { setTimeout as delay } from "node:timers/promises";

import { pick, type Random } from "../testbed/choose.ts";
import { makeHttpClient } from "../testbed/http_client.ts";
import type { SummaryAnswer } from "./judge_summaries.ts";
import type { Ledger } from "./ledger.ts";

export interface ReaderFigures {
  /** Reads without a summary as answer. */
  readonly failures: number;
  /** Summaries that count more than was ever sent, which lag cannot explain. */
  readonly wrong: ReadonlyArray<string>;
}

/** The accounts with the most events are read, which have low numbers. */
const ACCOUNTS_READ = 8;
const PAUSE_MS = 100;
const TIMEOUT_MS = 5_000;

/** Reads summaries until it is stopped, so that windows are built, cached and moved while things break. */
export const startReader = (
  url: string,
  ledger: Ledger,
  random: Random,
): { readonly stop: () => Promise<ReaderFigures> } => {
  const client = makeHttpClient(TIMEOUT_MS);
  const state = { stopping: false };
  const figures = { failures: 0, wrong: [] as string[] };

  const read = async (): Promise<void> => {
    const accountId = `account-${Math.floor(random() * ACCOUNTS_READ)}`;
    const window = pick(random, ["last_24h", "last_7d"]);
    const outcome = await client.get(`${url}/accounts/${accountId}/summary?window=${window}`);
    if (outcome._tag !== "Answered" || outcome.status !== 200) {
      figures.failures++;
      return;
    }
    const { totals } = JSON.parse(outcome.body) as SummaryAnswer;
    const counted = Object.values(totals).reduce((sum, events) => sum + events, 0);
    const sent = ledger.sentTo(accountId);
    if (counted > sent) {
      figures.wrong.push(`${window} of ${accountId} counted ${counted} events of ${sent} sent`);
    }
  };
  const readOn = async (): Promise<void> => {
    while (!state.stopping) {
      await read();
      await delay(PAUSE_MS);
    }
  };
  const reading = readOn();

  return {
    stop: async () => {
      state.stopping = true;
      await reading;
      client.close();
      return figures;
    },
  };
};
