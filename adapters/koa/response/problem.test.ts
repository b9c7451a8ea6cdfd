import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { LogUnavailable } from "../../../core/log/event_log.ts";
import { QueueFull, QueueUnavailable } from "../../../core/queue/queue.ts";
import { SummariesUnavailable } from "../../../core/summary/summaries.ts";
import {
  type ApiOptions,
  batchOf,
  get,
  post,
  problemIn,
  requestBytes,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { openConnection } from "../server/connection.fixture.ts";
import { type Failure, problemOf } from "./problem.ts";

const mapping = suite("problemOf");

// Clients rely on types and statuses: neither may change.
const CONTRACT: ReadonlyArray<readonly [Failure["_tag"], number, string]> = [
  ["HttpMalformed", 400, "http-malformed"],
  ["HeadersTooLarge", 431, "headers-too-large"],
  ["RequestTooSlow", 408, "request-too-slow"],
  ["RequestTruncated", 400, "request-truncated"],
  ["BodyTooLarge", 413, "body-too-large"],
  ["BodyFragmented", 400, "body-fragmented"],
  ["BodyShareExceeded", 429, "body-share-exceeded"],
  ["BodyNotInflatable", 400, "body-not-inflatable"],
  ["JsonMalformed", 400, "json-malformed"],
  ["ContentTypeUnsupported", 415, "content-type-unsupported"],
  ["ContentEncodingUnsupported", 415, "content-encoding-unsupported"],
  ["ParametersInvalid", 400, "parameters-invalid"],
  ["PathMalformed", 400, "path-malformed"],
  ["RouteUnknown", 404, "route-unknown"],
  ["MethodNotAllowed", 405, "method-not-allowed"],
  ["JobUnknown", 404, "job-unknown"],
  ["DeadLetterUnknown", 404, "dead-letter-unknown"],
  ["AccountForbidden", 403, "account-forbidden"],
  ["AllAccountsRequired", 403, "account-forbidden"],
  ["Starting", 503, "starting"],
  ["BatchMalformed", 400, "batch-malformed"],
  ["BatchEmpty", 400, "batch-empty"],
  ["BatchTooLarge", 400, "batch-too-large"],
  ["BatchTooComplex", 400, "batch-too-complex"],
  ["TurnRefused", 503, "turn-refused"],
  ["EventInvalid", 400, "event-invalid"],
  ["QueueFull", 503, "queue-full"],
  ["QueueUnavailable", 503, "unavailable"],
  ["LogUnavailable", 503, "unavailable"],
  ["SummariesUnavailable", 503, "unavailable"],
  ["TooManyReads", 429, "too-many-reads"],
  ["ReadsFull", 503, "reads-full"],
  ["TimeseriesTooLarge", 400, "timeseries-too-large"],
];

/** The fields of all failures. */
const FIELDS = {
  message: "message",
  encoding: "x",
  contentType: "x",
  issues: [],
  path: "/",
  method: "GET",
  allowed: "POST",
  id: "1",
  events: 1_001,
  points: 1_000,
  retryAfterSeconds: 2,
  cause: new Error("secret"),
};

for (const [tag, status, name] of CONTRACT) {
  mapping(`${tag} is always ${status} ${name}`, () => {
    const problem = problemOf({ _tag: tag, ...FIELDS } as unknown as Failure);
    assert.is(problem.type, `urn:tidemark:problem:${name}`);
    assert.is(problem.status, status);
    assert.not.match(JSON.stringify(problem), "secret");
  });
}

mapping("Retry-After is in whole seconds, at least one", () => {
  for (const [seconds, expected] of [
    [0, 1],
    [0.2, 1],
    [1, 1],
    [1.2, 2],
    [30, 30],
  ] as const) {
    assert.is(problemOf(new QueueFull({ retryAfterSeconds: seconds })).retry_after, expected);
  }
});

mapping("the detail names the event and field of a single issue", () => {
  const issue = { index: 3, path: "metadata.a", message: "must not be" };
  const detail = (fields: object): string =>
    problemOf({ _tag: "ParametersInvalid", issues: [{ ...issue, ...fields }] }).detail;
  assert.is(detail({}), "events[3].metadata.a must not be.");
  assert.is(detail({ path: "" }), "events[3] must not be.");
  assert.is(detail({ index: null }), "metadata.a must not be.");
  assert.is(detail({ index: null, path: "" }), "must not be.");
});

mapping("the problem of a read says nothing about accepted events", () => {
  for (const tag of ["DeadlineExceeded", "RateLimited", "TooManyReads", "ReadsFull", "Starting"]) {
    const { detail } = problemOf({ _tag: tag, ...FIELDS } as unknown as Failure);
    assert.match(detail, /^[A-Z].*\. .*Retry in \d s\.$/);
    assert.not.match(detail, "accepted");
  }
});

mapping.run();

const failing = suite("a failing port");

const cause = new Error("connect ECONNREFUSED postgres://tidemark:secret@db");
const unavailable = Effect.fail(new QueueUnavailable({ cause }));
const unread = Effect.fail(new SummariesUnavailable({ cause }));

const isRetryable = (title: string, options: ApiOptions, request: string, name: string): void => {
  failing(title, async () => {
    const api = await startApi(options);
    const answer = await (request === "post"
      ? post(api, batchOf(validEvent()))
      : get(api, request));
    problemIn(answer, 503, name);
    assert.match(answer.headers["retry-after"] ?? "", /^[1-9][0-9]*$/);
    assert.not.match(answer.body, "secret");
    assert.equal(api.defects, [], "an expected failure is not a defect");
    await api.close();
  });
};

const full = Effect.fail(new QueueFull({ retryAfterSeconds: 0 }));
isRetryable(
  "a full queue yields 503 with Retry-After",
  { queue: { enqueue: () => full } },
  "post",
  "queue-full",
);
isRetryable(
  "an unavailable queue yields 503 with Retry-After",
  { queue: { enqueue: () => unavailable } },
  "post",
  "unavailable",
);
isRetryable(
  "a job cannot be found while the queue is unavailable",
  { queue: { find: () => unavailable } },
  "/jobs/00000000-0000-7000-8000-000000000001",
  "unavailable",
);
isRetryable(
  "a summary cannot be read while the database is unavailable",
  { summaries: { summary: () => unread } },
  "/accounts/acme/summary",
  "unavailable",
);
isRetryable(
  "a time series cannot be read while the database is unavailable",
  { activity: { counts: () => unread } },
  "/accounts/acme/timeseries",
  "unavailable",
);
isRetryable(
  "events cannot be listed while the log is unavailable",
  { accountEvents: { page: () => Effect.fail(new LogUnavailable({ cause })) } },
  "/accounts/acme/events",
  "unavailable",
);
isRetryable(
  "accounts cannot be sampled while the database is unavailable",
  { summaries: { sampleAccounts: () => unread } },
  "/accounts/sample",
  "unavailable",
);

failing("an invalid batch is refused even while the queue fails", async () => {
  const api = await startApi({ queue: { enqueue: () => full } });
  problemIn(await post(api, batchOf({})), 400, "event-invalid");
  await api.close();
});

failing("a defect is reported to the service, and its cause hidden from the client", async () => {
  const defect = new Error("the secret of the service");
  const api = await startApi({
    queue: { enqueue: () => Effect.die(defect) },
    summaries: {
      sampleAccounts: () => {
        throw defect;
      },
    },
  });
  const answers = [await post(api, batchOf(validEvent())), await get(api, "/accounts/sample")];
  for (const answer of answers) {
    problemIn(answer, 500, "internal");
    assert.not.match(answer.body, "secret");
  }
  assert.equal(api.defects, [defect, defect]);
  assert.is((await get(api, "/healthz")).status, 200, "the service keeps running");
  await api.close();
});

failing("a client that leaves early is not a defect", async () => {
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<Option.Option<never>>();
  const find = () =>
    Effect.promise(() => {
      asked.resolve();
      return found.promise;
    });
  const api = await startApi({ queue: { find } });
  const connection = await openConnection(api.url);
  connection.write(requestBytes("GET /jobs/1"));
  await asked.promise;
  connection.reset();
  await connection.closed();
  assert.is((await get(api, "/healthz")).status, 200, "the service has noticed that it left");
  found.resolve(Option.none());
  assert.is((await get(api, "/healthz")).status, 200, "and has finished its request");
  assert.equal(api.defects, []);
  await api.close();
});

failing.run();
