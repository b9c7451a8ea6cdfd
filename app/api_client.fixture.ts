import * as assert from "uvu/assert";

import { until } from "../scripts/test/patience.ts";

/** What a client sends as an event. */
export interface SentEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly user_id: string;
  readonly type: string;
  readonly timestamp: string;
}

export interface Job {
  readonly state: string;
  readonly queued: number;
  readonly appended: number;
  readonly duplicates: number;
  readonly conflicts: number;
}

let events = 0;

/** A new event that happened now. */
export const anEvent = (fields: Partial<SentEvent> = {}): SentEvent => ({
  event_id: `sent-${++events}`,
  account_id: "acme",
  user_id: "ada",
  type: "login",
  timestamp: new Date().toISOString(),
  ...fields,
});

export const postEvents = (url: string, items: ReadonlyArray<SentEvent>): Promise<Response> =>
  fetch(`${url}/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ events: items }),
  });

/** Posts events, asserts that they are accepted, and returns the id of their job. */
export const accept = async (url: string, ...items: ReadonlyArray<SentEvent>): Promise<string> => {
  const response = await postEvents(url, items);
  const body = (await response.json()) as { jobId: string };
  assert.is(response.status, 202, JSON.stringify(body));
  return body.jobId;
};

/** The body of a response, which must be a 200. */
export const getJson = async <A>(url: string): Promise<A> => {
  const response = await fetch(url);
  const text = await response.text();
  assert.is(response.status, 200, `${url}: ${text}`);
  return JSON.parse(text) as A;
};

/** Returns the job once it is completed. */
export const completedJob = async (url: string, jobId: string): Promise<Job> => {
  let job: Job | undefined;
  await until(async () => {
    job = await getJson<Job>(`${url}/jobs/${jobId}`);
    return job.state === "completed";
  }, `job ${jobId} is not completed`);
  assert.ok(job);
  return job;
};

/** The totals of an account over the last day. */
export const totalsOf = async (url: string, account = "acme"): Promise<Record<string, number>> => {
  const summary = await getJson<{ totals: Record<string, number> }>(
    `${url}/accounts/${account}/summary`,
  );
  return summary.totals;
};

/** Returns once an account has this many events of type `login` in the last day. */
export const untilLogins = (url: string, logins: number, account = "acme"): Promise<void> =>
  until(
    async () => (await totalsOf(url, account))["login"] === logins,
    `${account} has no ${logins} logins`,
  );

/** The status of a path; undefined while nothing listens. */
export const statusOf = (url: string, path: string): Promise<number | undefined> =>
  fetch(`${url}${path}`).then(
    async (response) => {
      await response.body?.cancel();
      return response.status;
    },
    () => undefined,
  );

export const untilReady = (url: string): Promise<void> =>
  until(async () => (await statusOf(url, "/readyz")) === 200, "it is not ready");
