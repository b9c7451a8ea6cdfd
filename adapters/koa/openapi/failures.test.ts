import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ApiKeysUnavailable } from "../../../core/access/access.ts";
import { NO_QUOTAS, QuotaExceeded } from "../../../core/access/quotas.ts";
import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { type ReadRefused, ReadsFull, TooManyReads } from "../../../core/fair/client_semaphore.ts";
import { LogUnavailable } from "../../../core/log/event_log.ts";
import type { DeadLetters } from "../../../core/queue/dead_letters.ts";
import { QueueFull, QueueUnavailable } from "../../../core/queue/queue.ts";
import { SummariesUnavailable } from "../../../core/summary/summaries.ts";
import {
  type ApiOptions,
  batchOf,
  get,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { makeContract } from "./contract.fixture.ts";
import { openApiDocument } from "./document.ts";

const test = suite("failures of the service are documented");

const { operations, holds } = makeContract(openApiDocument(EVENT_RULES_DEFAULT));

const cause = new Error("unavailable");
const summariesUnavailable = Effect.fail(new SummariesUnavailable({ cause }));
const queueUnavailable = Effect.fail(new QueueUnavailable({ cause }));
const logUnavailable = Effect.fail(new LogUnavailable({ cause }));
const keysUnavailable = Effect.fail(new ApiKeysUnavailable({ cause }));
const full = new QueueFull({ retryAfterSeconds: 2 });
const A_CHARGE = { name: "account:acme", events: 1, perMinute: 60 };
const overQuota = Effect.fail(new QuotaExceeded({ retryAfterSeconds: 2 }));

const lettersThat = (
  fail: () => Effect.Effect<never, QueueUnavailable>,
): DeadLetters["Service"] => ({
  list: fail,
  find: fail,
  redrive: fail,
  drop: fail,
});

const CALL_PORTS = [
  "recordEvents",
  "findJob",
  "summariseAccount",
  "accountTimeseries",
  "listEvents",
  "sampleAccounts",
  "listDeadLetters",
  "findDeadLetter",
  "redriveDeadLetter",
  "dropDeadLetter",
];

const READS = [
  "findJob",
  "summariseAccount",
  "accountTimeseries",
  "listEvents",
  "sampleAccounts",
  "listDeadLetters",
  "findDeadLetter",
];

const refusingReads = (refused: Effect.Effect<never, ReadRefused>): ApiOptions => ({
  queue: { find: () => refused },
  summaries: { summary: () => refused, sampleAccounts: () => refused },
  activity: { counts: () => refused },
  accountEvents: { page: () => refused },
  deadLetters: { ...lettersThat(() => queueUnavailable), list: () => refused, find: () => refused },
});

/** Faults of the service, and the status with which these operations respond. */
const FAULTS: ReadonlyArray<{
  readonly title: string;
  readonly options: ApiOptions;
  readonly status: number;
  readonly operationIds: ReadonlyArray<string>;
}> = [
  {
    title: "unavailable ports",
    options: {
      queue: { find: () => queueUnavailable, enqueue: () => queueUnavailable },
      summaries: {
        summary: () => summariesUnavailable,
        sampleAccounts: () => summariesUnavailable,
      },
      activity: { counts: () => summariesUnavailable },
      accountEvents: { page: () => logUnavailable },
      deadLetters: lettersThat(() => queueUnavailable),
    },
    status: 503,
    operationIds: CALL_PORTS,
  },
  {
    title: "ports that never answer",
    options: {
      limits: { answerTimeoutMs: 20 },
      queue: { find: () => Effect.never, enqueue: () => Effect.never },
      summaries: { summary: () => Effect.never, sampleAccounts: () => Effect.never },
      activity: { counts: () => Effect.never },
      accountEvents: { page: () => Effect.never },
      deadLetters: lettersThat(() => Effect.never),
    },
    status: 503,
    operationIds: CALL_PORTS,
  },
  {
    title: "ports with defects",
    options: {
      queue: { find: () => Effect.die(cause), enqueue: () => Effect.die(cause) },
      summaries: {
        summary: () => Effect.die(cause),
        sampleAccounts: () => Effect.die(cause),
      },
      activity: { counts: () => Effect.die(cause) },
      accountEvents: { page: () => Effect.die(cause) },
      deadLetters: lettersThat(() => Effect.die(cause)),
    },
    status: 500,
    operationIds: CALL_PORTS,
  },
  {
    title: "unavailable API keys",
    options: {
      access: {
        known: () => undefined,
        remembers: () => false,
        authenticate: () => keysUnavailable,
      },
    },
    status: 503,
    operationIds: operations.filter((each) => !each.public).map((each) => each.operationId),
  },
  {
    title: "an exhausted rate limit",
    options: { rateLimit: { limitLoopback: true, anonymousPerMinute: 1 } },
    status: 429,
    operationIds: operations.filter((each) => !each.public).map((each) => each.operationId),
  },
  {
    title: "a starting service",
    options: { services: "starting", readiness: { ready: false, checks: { service: "starting" } } },
    status: 503,
    operationIds: operations
      .map((each) => each.operationId)
      .filter((id) => id !== "health" && id !== "metrics"),
  },
  {
    title: "overload",
    options: { refusal: () => full },
    status: 503,
    operationIds: ["recordEvents"],
  },
  {
    title: "too many waiting reads of a client",
    options: refusingReads(Effect.fail(new TooManyReads())),
    status: 429,
    operationIds: READS,
  },
  {
    title: "too many waiting reads",
    options: refusingReads(Effect.fail(new ReadsFull())),
    status: 503,
    operationIds: READS,
  },
  {
    title: "an exhausted quota",
    options: { quotas: { ...NO_QUOTAS, chargesOf: () => [A_CHARGE], take: () => overQuota } },
    status: 429,
    operationIds: ["recordEvents"],
  },
];

for (const { title, options, status, operationIds } of FAULTS) {
  test(`${title}: ${status}`, async () => {
    const api = await startApi(options);
    // Uses up the limit of one request.
    await get(api, "/accounts/sample");
    for (const operationId of operationIds) {
      const operation = operations.find((each) => each.operationId === operationId);
      assert.ok(operation, operationId);
      const method = operation.method.toUpperCase();
      const path = operation.path.replaceAll(/\{[^}]+\}/g, "acme");
      const body = operation.body === undefined ? "" : batchOf(validEvent());
      const bytes = requestBytes(`${method} ${path}`, body, { "Content-Type": "application/json" });
      const answer = await send(api, bytes);
      assert.is(answer.status, status, `${operationId}: ${answer.body}`);
      holds(operation, answer);
    }
    await api.close();
  });
}

test.run();
