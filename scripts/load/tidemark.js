// Code that the scenarios share: requests, checks of answers, and thresholds.
import { check, fail, sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Counter, Rate, Trend } from "k6/metrics";

const BASE_URL = (__ENV.BASE_URL || "http://127.0.0.1:3000").replace(/\/+$/, "");

const HEADERS = {
  "Content-Type": "application/json",
  ...(__ENV.TIDEMARK_KEY ? { Authorization: `Bearer ${__ENV.TIDEMARK_KEY}` } : {}),
};

/** Requests with a wrong answer, or none. */
const errors = new Rate("errors");
/** Requests that were refused, as the service may do under overload. */
const refused = new Rate("refused");
/** The time from the 202 for an event until the summary of its account shows it. */
const visible = new Trend("accepted_until_visible", true);
/** Events in a summary that were never sent. */
const miscounted = new Counter("miscounted");

const ACCOUNTS = 500;
const USERS = 200;
const TYPES = ["message_sent", "call_made", "form_submitted", "login", "custom"];

/** After this time an event counts as lost. */
const VISIBLE_WITHIN_MS = 10_000;
const POLL_EVERY_SECONDS = 0.02;

/** Multiplies the usual load, for a larger machine or a smoke test. */
export const RATE = numberIn("RATE", 1);

/** Thresholds. */
const slo = {
  postP99Ms: numberIn("POST_P99_MS", 100),
  summaryP99Ms: numberIn("SUMMARY_P99_MS", 50),
  visibleP99Ms: numberIn("VISIBLE_P99_MS", 1_000),
};

/**
 * A number from the environment.
 * @param {string} name
 * @param {number} byDefault
 */
function numberIn(name, byDefault) {
  const text = __ENV[name];
  if (!text) return byDefault;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not ${text}`);
  return value;
}

/**
 * The length of the run.
 * @param {number} byDefault
 */
export const durationSeconds = (byDefault) => numberIn("DURATION_SECONDS", byDefault);

/**
 * Thresholds for the whole run or one part of it. Another part can exceed the capacity of the
 * service.
 * @param {string} [part]
 * @returns {Record<string, string[]>}
 */
export const thresholds = (part) => {
  const also = part === undefined ? "" : `,part:${part}`;
  const only = part === undefined ? "" : `{part:${part}}`;
  return {
    [`http_req_duration{endpoint:post_events${also}}`]: [`p(99)<=${slo.postP99Ms}`],
    [`http_req_duration{endpoint:summary${also}}`]: [`p(99)<=${slo.summaryP99Ms}`],
    [`refused${only}`]: ["rate<0.001"],
    // A run that could not send its load proves nothing.
    [`dropped_iterations${only}`]: ["rate<0.1"],
    accepted_until_visible: [`p(99)<=${slo.visibleP99Ms}`],
    errors: ["rate<0.001"],
    checks: ["rate>0.999"],
    miscounted: ["count==0"],
  };
};

/**
 * A scenario with a constant rate of iterations, independent of how long answers take.
 * @param {string} run the name of the function to run
 * @param {number} perSecond
 * @param {number} seconds
 * @param {{ after?: number, part?: string }} [options] its start in seconds after the start of the
 *   run, and the part of the run that it belongs to
 * @returns {import("k6/options").Scenario}
 */
export const steady = (run, perSecond, seconds, { after = 0, part = "all" } = {}) => ({
  executor: "constant-arrival-rate",
  exec: run,
  // Per ten seconds, because the rate must be a whole number.
  rate: Math.max(1, Math.round(perSecond * 10)),
  timeUnit: "10s",
  duration: inMs(seconds),
  startTime: inMs(after),
  tags: { part },
  // Enough if answers take a second. k6 makes more during the run, which delays the load.
  preAllocatedVUs: Math.min(200, Math.max(4, Math.ceil(perSecond))),
  maxVUs: 500,
  gracefulStop: "15s",
});

/** @param {number} seconds */
const inMs = (seconds) => `${Math.round(seconds * 1_000)}ms`;

/**
 * Checks that the service is ready and accepts the key. Every iteration receives the result.
 * @returns {{ run: string }}
 */
export const begin = () => {
  const ready = http.get(`${BASE_URL}/readyz`);
  if (ready.status !== 200) {
    fail(
      ready.status === 0
        ? `The service at ${BASE_URL} cannot be reached: start one, or set BASE_URL`
        : `${BASE_URL}/readyz answered ${ready.status}: ${JSON.stringify(ready.body)}`,
    );
  }
  const sample = http.get(`${BASE_URL}/accounts/sample?limit=1`, { headers: HEADERS });
  if (sample.status === 401 || sample.status === 403) {
    fail(
      "The service needs an API key with the scopes write and read for all accounts: set " +
        "TIDEMARK_KEY",
    );
  }
  return { run: Date.now().toString(36) };
};

/** A random account. A few accounts are much more likely than the others. */
export const someAccount = () => `load-${Math.floor(Math.random() ** 2 * ACCOUNTS)}`;

/** @param {number} count */
export const someUser = (count = USERS) => `user-${Math.floor(Math.random() * count)}`;

let made = 0;

/**
 * New events.
 * @param {{ run: string }} data
 * @param {number} count
 * @param {() => string} account
 * @param {() => string} user
 */
export const newEvents = (data, count, account = someAccount, user = someUser) =>
  Array.from({ length: count }, () => {
    const n = made++;
    return {
      event_id: `${data.run}-${exec.vu.idInTest}-${n}`,
      account_id: account(),
      user_id: user(),
      type: TYPES[n % TYPES.length],
      timestamp: new Date().toISOString(),
      metadata: { channel: "web", n: n % 10 },
    };
  });

/**
 * Posts events, and returns whether they were accepted.
 * @param {ReadonlyArray<object>} events
 */
export const postEvents = (events) => {
  const response = http.post(`${BASE_URL}/events`, JSON.stringify({ events }), {
    headers: HEADERS,
    tags: { endpoint: "post_events", name: "POST /events" },
  });
  if (isRefusal(response)) return false;
  const good = check(response, {
    "POST /events answers 202": ({ status }) => status === 202,
    "its body has statusCode, jobId and queued": (answer) => {
      const { statusCode, jobId, queued } = bodyOf(answer);
      return statusCode === 202 && typeof jobId === "string" && queued === events.length;
    },
  });
  errors.add(!good);
  return good;
};

/**
 * Reads a summary; undefined if there was none.
 * @param {string} account
 * @param {string} window
 * @param {string} [endpoint]
 */
export const readSummary = (account, window = "last_24h", endpoint = "summary") => {
  const response = http.get(`${BASE_URL}/accounts/${account}/summary?window=${window}`, {
    headers: HEADERS,
    tags: { endpoint, name: "GET /accounts/:id/summary" },
  });
  if (isRefusal(response)) return undefined;
  const good = check(response, {
    "GET summary answers 200": ({ status }) => status === 200,
    "its body is the summary that was asked for": (answer) => {
      const body = bodyOf(answer);
      return body.account_id === account && body.window === window && isSummary(body);
    },
  });
  errors.add(!good);
  return good ? bodyOf(response) : undefined;
};

/** @param {Record<string, any>} body */
const isSummary = ({ totals, top_users, from, to, as_of }) =>
  typeof totals === "object" &&
  Object.values(totals).every((events) => Number.isInteger(events) && events > 0) &&
  Array.isArray(top_users) &&
  top_users.every(
    ({ user_id, events }, i) =>
      typeof user_id === "string" && (i === 0 || events <= top_users[i - 1].events),
  ) &&
  [from, to, as_of].every((time) => !Number.isNaN(Date.parse(time)));

/**
 * Whether the service refused the request because of overload. A refusal must say when to retry.
 * @param {import("k6/http").Response} response
 */
const isRefusal = (response) => {
  const is = response.status === 503 || response.status === 429;
  refused.add(is);
  if (!is) return false;
  const good = check(response, {
    "a refusal has Retry-After": ({ headers }) =>
      /^[1-9][0-9]*$/.test(headers["Retry-After"] ?? ""),
    "a refusal is a problem document": (answer) => typeof bodyOf(answer).type === "string",
  });
  errors.add(!good);
  return true;
};

/**
 * @param {import("k6/http").Response} response
 * @returns {Record<string, any>} empty if the body is not a JSON object
 */
const bodyOf = (response) => {
  try {
    const body = response.json();
    return typeof body === "object" && body !== null ? /** @type {any} */ (body) : {};
  } catch {
    return {};
  }
};

/** The number of events that this VU sent to its own account, and of its accounts so far. */
let followed = 0;
let accounts = 0;

/**
 * Sends one event to an account that receives no others, and polls its summary until it shows the
 * event.
 * @param {{ run: string }} data
 */
export const follow = (data) => {
  const account = `probe-${data.run}-${exec.vu.idInTest}-${accounts}`;
  // Fills the cache, so that the new event must invalidate the summary.
  readSummary(account, "last_7d", "probe");
  if (!postEvents(newEvents(data, 1, () => account))) {
    // The event may have been accepted or not, so the next one uses another account.
    followed = 0;
    accounts++;
    return;
  }
  followed++;
  const since = Date.now();
  for (;;) {
    const summary = readSummary(account, "last_7d", "probe");
    const shown = summary === undefined ? 0 : sum(Object.values(summary.totals));
    const took = Date.now() - since;
    if (shown >= followed || took > VISIBLE_WITHIN_MS) {
      visible.add(took);
      miscounted.add(Math.max(0, shown - followed));
      return;
    }
    sleep(POLL_EVERY_SECONDS);
  }
};

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
