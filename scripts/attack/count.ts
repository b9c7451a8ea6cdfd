import { setTimeout as delay } from "node:timers/promises";

import { HOUR_MS } from "../../core/time.ts";
import { type HttpClient, makeHttpClient, rangeQuery } from "../testbed/http_client.ts";
import type { SentCount } from "./honest.ts";

const TIMEOUT_MS = 15_000;
const POLL_MS = 250;

/**
 * Waits until the summaries of all accounts that honest tenants posted to count exactly what was accepted. Returns a
 * sentence for each account that does not in time.
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
    const range = rangeQuery(now - HOUR_MS, now + HOUR_MS);
    const outcome = await client.get(`${url}/accounts/${account}/summary?${range}`);
    const seen = outcome._tag === "Answered" && outcome.status === 200 ? total(outcome.body) : -1;
    if (accepted <= seen && seen <= accepted + unknown) return undefined;
    if (performance.now() > deadline || seen > accepted + unknown) {
      const counted = seen < 0 ? "did not answer" : `counts ${seen} events`;
      return `${account} ${counted}; ${accepted} were accepted, and ${unknown} more had no clear answer`;
    }
    await delay(POLL_MS);
  }
};

const total = (body: string): number => {
  const { totals } = JSON.parse(body) as { totals: Record<string, number> };
  return Object.values(totals).reduce((sum, events) => sum + events, 0);
};
