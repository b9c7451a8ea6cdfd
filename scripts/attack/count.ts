import { setTimeout as delay } from "node:timers/promises";

import { type HttpClient, makeHttpClient } from "../chaos/http_client.ts";
import type { SentCount } from "./honest.ts";

const TIMEOUT_MS = 15_000;
const POLL_MS = 250;
const HOUR_MS = 3_600_000;

/**
 * Asks for the summaries of all accounts that honest tenants posted to until they count exactly what was accepted, and
 * nothing that was not sent. Returns a sentence for each that does not within this time.
 */
export const miscounted = async (
  url: string,
  sent: ReadonlyMap<string, SentCount>,
  withinMs: number,
): Promise<ReadonlyArray<string>> => {
  const deadline = performance.now() + withinMs;
  const problems: string[] = [];
  for (const [account, count] of sent) {
    const headers = { Authorization: `Bearer ${count.key}` };
    const client = makeHttpClient(TIMEOUT_MS, { headers });
    const problem = await untilCounted(client, url, account, count, deadline);
    client.close();
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
};

const untilCounted = async (
  client: HttpClient,
  url: string,
  account: string,
  { accepted, unknown }: SentCount,
  deadline: number,
): Promise<string | undefined> => {
  for (;;) {
    const now = Date.now();
    const range = `from=${new Date(now - HOUR_MS).toISOString()}&to=${new Date(now + HOUR_MS).toISOString()}`;
    const outcome = await client.get(`${url}/accounts/${account}/summary?${range}`);
    const seen = outcome._tag === "Answered" && outcome.status === 200 ? total(outcome.body) : -1;
    if (accepted <= seen && seen <= accepted + unknown) return undefined;
    if (performance.now() > deadline || seen > accepted + unknown) {
      const counted = seen < 0 ? "was not answered" : `counts ${seen}`;
      return `${account} ${counted}; ${accepted} were accepted, of ${unknown} more nobody knows`;
    }
    await delay(POLL_MS);
  }
};

const total = (body: string): number => {
  const { totals } = JSON.parse(body) as { totals: Record<string, number> };
  return Object.values(totals).reduce((sum, events) => sum + events, 0);
};
