import autocannon from "autocannon";

import { type Child, startChild } from "./child.ts";

/** The summary of one account that is asked for again and again. */
export const hotPath = "/accounts/hot/summary?window=last_7d";

/** How many connections ask for it at once. */
export const CONNECTIONS = 32;

const SECONDS = 4;

/** Starts a bare koa and router that serve from memory the bytes that a service answers; `found` is its URL. */
export const startBareKoa = async (serviceUrl: string): Promise<Child> => {
  const bytes = await (await fetch(serviceUrl + hotPath)).text();
  const bare = await startChild("scripts/bench/bare_koa_process.ts", [bytes], {}, /^(\d+)$/);
  return { ...bare, found: `http://127.0.0.1:${bare.found}` };
};

/** Reads a URL over and over, as fast as it is answered. */
export const readAgainAndAgain = async (url: string): Promise<autocannon.Result> => {
  const result = await autocannon({ url, connections: CONNECTIONS, duration: SECONDS });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(
      `${url}: ${result.non2xx} answers were no 2xx, ${result.errors} requests failed`,
    );
  }
  return result;
};

/** Posts a hundred events of the account, and waits until its summary shows them. */
export const fillHotAccount = async (serviceUrl: string): Promise<void> => {
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
