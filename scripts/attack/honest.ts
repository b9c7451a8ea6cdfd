import { randomUUID } from "node:crypto";

import { type HttpClient, makeHttpClient, type Outcome } from "../chaos/http_client.ts";
import type { Sample } from "./samples.ts";

/** Somebody who uses the service as it is meant to be used, with a key of their own. */
export interface Tenant {
  readonly name: string;
  readonly key: string;
  /** Accounts with events of the last 30 days. */
  readonly readAccounts: ReadonlyArray<string>;
  /** What the accounts begin with that the key is for. */
  readonly accountPrefix: string;
}

export interface HonestLoad {
  readonly postsPerSecond: number;
  readonly readsPerSecond: number;
}

/** How many accounts of a tenant new events go to. */
const POST_ACCOUNTS = 25;

/** How many events an account was sent: those that were accepted, and those of which nobody knows. */
export interface SentCount {
  /** A key that may read the account. */
  readonly key: string;
  accepted: number;
  unknown: number;
}

/** Honest clients that send at a steady rate, however long the answers take, as users do. */
export interface Honest {
  readonly posts: ReadonlyArray<Sample>;
  readonly reads: ReadonlyArray<Sample>;
  readonly sent: ReadonlyMap<string, SentCount>;
  /** Sends no more, and returns when all that was sent is answered. */
  readonly stop: () => Promise<void>;
}

/** Longer than the service gives itself. */
const TIMEOUT_MS = 15_000;

const DAY_MS = 86_400_000;

export const startHonest = (
  url: string,
  tenants: ReadonlyArray<Tenant>,
  { postsPerSecond, readsPerSecond }: HonestLoad,
): Honest => {
  const clients = new Map<Tenant, HttpClient>(
    tenants.map((tenant) => {
      const headers = { Authorization: `Bearer ${tenant.key}` };
      return [tenant, makeHttpClient(TIMEOUT_MS, { headers })];
    }),
  );
  const posts: Sample[] = [];
  const reads: Sample[] = [];
  const sent = new Map<string, SentCount>();
  const run = randomUUID();
  const startedAt = Date.now();

  const turnOf = (n: number): readonly [Tenant, HttpClient] => {
    const tenant = tenants[n % tenants.length];
    const client = tenant === undefined ? undefined : clients.get(tenant);
    if (tenant === undefined || client === undefined) throw new Error("there are no tenants");
    return [tenant, client];
  };

  const postOne = async (n: number, dueAt: number): Promise<void> => {
    const [{ key, accountPrefix }, client] = turnOf(n);
    // Of this run alone, so that everything in it can be counted.
    const account = `${accountPrefix}${run}-${Math.floor(n / tenants.length) % POST_ACCOUNTS}`;
    const event = {
      event_id: `${run}-${n}`,
      account_id: account,
      user_id: `user-${n % 7}`,
      type: "login",
      timestamp: new Date().toISOString(),
    };
    const outcome = await client.post(`${url}/events`, JSON.stringify({ events: [event] }));
    const answer = answerOf(outcome);
    let count = sent.get(account);
    if (count === undefined) sent.set(account, (count = { key, accepted: 0, unknown: 0 }));
    if (answer === 202) count.accepted++;
    // What was answered with an error may have been committed all the same.
    else if (outcome._tag !== "Refused") count.unknown++;
    posts.push({ dueAt, tookMs: performance.now() - dueAt, answer: describe(outcome) });
  };

  const readOne = async (n: number, dueAt: number): Promise<void> => {
    const [{ readAccounts }, client] = turnOf(n);
    const account = inTurn(readAccounts, Math.floor(n / tenants.length));
    // A range that nobody has asked for: no cache has its answer.
    const to = startedAt - n;
    const from = to - 7 * DAY_MS;
    const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
    const outcome = await client.get(`${url}/accounts/${account}/summary?${range}`);
    reads.push({ dueAt, tookMs: performance.now() - dueAt, answer: describe(outcome) });
  };

  const loads = [openLoop(postsPerSecond, postOne), openLoop(readsPerSecond, readOne)];
  return {
    posts,
    reads,
    sent,
    stop: async () => {
      await Promise.all(loads.map((load) => load.stop()));
      for (const client of clients.values()) client.close();
    },
  };
};

const inTurn = <A>(items: ReadonlyArray<A>, n: number): A => {
  const item = items[n % items.length];
  if (item === undefined) throw new Error("there is nothing to take turns in");
  return item;
};

/** The status of an answer, or why there was none. */
export const answerOf = (outcome: Outcome): number | string =>
  outcome._tag === "Answered" ? outcome.status : outcome.reason;

/** The same, with the problem that a refusal names: it says what ran out. */
const describe = (outcome: Outcome): number | string => {
  const answer = answerOf(outcome);
  if (outcome._tag !== "Answered" || outcome.status < 400) return answer;
  const [, problem] = /"urn:tidemark:problem:([a-z-]+)"/.exec(outcome.body) ?? [];
  return problem === undefined ? answer : `${answer} ${problem}`;
};

/** Does something at a steady rate, however long it takes. */
export const openLoop = (
  perSecond: number,
  send: (n: number, dueAt: number) => Promise<void>,
): { readonly stop: () => Promise<void> } => {
  const pending = new Set<Promise<void>>();
  const since = performance.now();
  let n = 0;
  const timer = setInterval(() => {
    for (; (n * 1_000) / perSecond <= performance.now() - since; n++) {
      const one = send(n, since + (n * 1_000) / perSecond).finally(() => pending.delete(one));
      pending.add(one);
    }
  }, 5);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
};
