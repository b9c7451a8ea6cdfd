import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 10;

let followed = 0;
const posted = new Map<string, number>();

/**
 * Posts one event at a time, and polls until every process shows it in the summary of its account.
 * Returns the time from each 202, in milliseconds.
 *
 * @param prefix of the names of the `accounts` accounts
 */
export const followEvents = async (
  urls: ReadonlyArray<string>,
  prefix: string,
  accounts: number,
  seconds: number,
): Promise<number[]> => {
  const took: number[] = [];
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    const n = followed++;
    const account = `${prefix}-${n % accounts}`;
    const url = urls[n % urls.length] ?? "";
    // Fills the caches, so that the new event must invalidate the summary.
    await Promise.all(urls.map((each) => loginsOf(each, account)));
    const timestamp = new Date().toISOString();
    const event = { event_id: `${prefix}-${n}`, account_id: account, user_id: "u", type: "login" };
    const { status } = await fetch(`${url}/events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ events: [{ ...event, timestamp }] }),
    });
    if (status !== 202) throw new Error(`POST /events answered ${status}`);
    const since = performance.now();
    const expected = (posted.get(account) ?? 0) + 1;
    posted.set(account, expected);
    await Promise.all(urls.map((each) => untilShown(each, account, expected)));
    took.push(performance.now() - since);
  }
  return took;
};

const untilShown = async (url: string, account: string, expected: number): Promise<void> => {
  while ((await loginsOf(url, account)) < expected) {
    await delay(POLL_MS);
  }
};

const loginsOf = async (url: string, account: string): Promise<number> => {
  const { totals } = await summaryOf(url, account);
  return totals["login"] ?? 0;
};

/** The counts of a summary. */
export interface Shown {
  readonly totals: Readonly<Record<string, number>>;
  readonly top_users: unknown;
}

export const summaryOf = async (url: string, account: string): Promise<Shown> => {
  const answer = await fetch(`${url}/accounts/${account}/summary?window=last_7d`);
  return (await answer.json()) as Shown;
};
