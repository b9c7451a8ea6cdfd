import { randomUUID } from "node:crypto";

import { DAY_MS } from "../../core/time.ts";
import { inTurn } from "../testbed/choose.ts";
import { makeHttpClient, type Outcome, rangeQuery } from "../testbed/http_client.ts";
import type { Sample } from "./samples.ts";

/** A tenant that uses the service as intended, with its own key. */
export interface Tenant {
  readonly name: string;
  readonly key: string;
  /** Accounts with events of the last 30 days. */
  readonly readAccounts: ReadonlyArray<string>;
  /** The key is for accounts with this prefix. */
  readonly accountPrefix: string;
}

export interface HonestLoad {
  readonly postsPerSecond: number;
  readonly readsPerSecond: number;
}

/** The number of accounts of a tenant that get new events. */
const POST_ACCOUNTS = 25;

/** The events that were sent for an account: those accepted, and those without a clear answer. */
export interface SentCount {
  /** A key that may read the account. */
  readonly key: string;
  accepted: number;
  unknown: number;
}

/** Honest clients. They send at a steady rate, however long answers take, as users do. */
export interface Honest {
  readonly posts: ReadonlyArray<Sample>;
  readonly reads: ReadonlyArray<Sample>;
  readonly sent: ReadonlyMap<string, SentCount>;
  /** Stops sending, and returns when everything is answered. */
  readonly stop: () => Promise<void>;
}

/** Longer than `REQUEST_TIMEOUT_MS` of the service. */
const TIMEOUT_MS = 15_000;

export const startHonest = (
  url: string,
  tenants: ReadonlyArray<Tenant>,
  { postsPerSecond, readsPerSecond }: HonestLoad,
): Honest => {
  const users = tenants.map((tenant) => {
    const headers = { Authorization: `Bearer ${tenant.key}` };
    return { ...tenant, client: makeHttpClient(TIMEOUT_MS, { headers }) };
  });
  const posts: Sample[] = [];
  const reads: Sample[] = [];
  const sent = new Map<string, SentCount>();
  const run = randomUUID();
  const startedAt = Date.now();

  const postOne = async (n: number, dueAt: number): Promise<void> => {
    const { key, accountPrefix, client } = inTurn(users, n);
    // New in each run, so that its events can be counted.
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
    // Despite an error the event may have been committed.
    else if (outcome._tag !== "Refused") count.unknown++;
    posts.push({ dueAt, tookMs: performance.now() - dueAt, answer: describe(outcome) });
  };

  const readOne = async (n: number, dueAt: number): Promise<void> => {
    const { readAccounts, client } = inTurn(users, n);
    const account = inTurn(readAccounts, Math.floor(n / tenants.length));
    // A new range each time, so that no answer is cached.
    const to = startedAt - n;
    const range = rangeQuery(to - 7 * DAY_MS, to);
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
      for (const { client } of users) client.close();
    },
  };
};

/** The status of an answer, or why there was none. */
export const answerOf = (outcome: Outcome): number | string =>
  outcome._tag === "Answered" ? outcome.status : outcome.reason;

/** The answer with its problem type, which says which limit was exceeded. */
const describe = (outcome: Outcome): number | string => {
  const answer = answerOf(outcome);
  if (outcome._tag !== "Answered" || outcome.status < 400) return answer;
  const [, problem] = /"urn:tidemark:problem:([a-z-]+)"/.exec(outcome.body) ?? [];
  return problem === undefined ? answer : `${answer} ${problem}`;
};

/** Calls something at a steady rate, however long each call takes. */
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
