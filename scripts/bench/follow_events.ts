const POLL_MS = 10;

let followed = 0;
const posted = new Map<string, number>();

/**
 * Posts an event at a time and follows it until every process shows it in the summary of its account.
 * Returns how long each took from its 202, in milliseconds.
 *
 * @param prefix what the accounts are called, of which there are `accounts`
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
    // Kept by both, so that only an invalidation can make it right.
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
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
};

const loginsOf = async (url: string, account: string): Promise<number> => {
  const { totals } = await summaryOf(url, account);
  return totals["login"] ?? 0;
};

/** What a summary shows. */
export interface Shown {
  readonly totals: Readonly<Record<string, number>>;
  readonly top_users: unknown;
}

export const summaryOf = async (url: string, account: string): Promise<Shown> => {
  const answer = await fetch(`${url}/accounts/${account}/summary?window=last_7d`);
  return (await answer.json()) as Shown;
};
