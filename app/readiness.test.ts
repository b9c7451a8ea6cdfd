import { setTimeout as delay } from "node:timers/promises";

import { Effect } from "effect";
import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DatabaseReadOnly } from "../adapters/postgres/errors.ts";
import type { Database } from "../adapters/postgres/pool.ts";
import type { Role } from "./configuration.ts";
import { checkHealth, checkReadiness, databaseHealth, singleFlight } from "./readiness.ts";

const test = suite("checkReadiness");

const failing = (error: Error): Database => ({
  query: async () => {
    throw error;
  },
});
const answering: Database = { query: async () => [] };
const roles: ReadonlySet<Role> = new Set(["api", "worker"]);

test("while starting, a service is not ready and says why", async () => {
  assert.equal(
    await checkReadiness({
      _tag: "Starting",
      reason: "4 migrations are pending",
      logged: new Set(),
    }),
    {
      ready: false,
      checks: { service: "starting: 4 migrations are pending" },
    },
  );
});

test("a running service is ready if the database answers, and names its roles", async () => {
  assert.equal(await checkHealth({ roles, database: databaseHealth(answering) }), {
    ready: true,
    checks: { database: "ok", migrations: "ok", api: "ok", worker: "ok" },
  });
});

test("the state of Redis is reported, and does not affect readiness", async () => {
  for (const redis of ["ok", "unavailable: connect ECONNREFUSED 127.0.0.1:6379"]) {
    const health = { roles, database: databaseHealth(answering), redis: () => redis };
    const { ready, checks } = await checkHealth(health);
    assert.equal([ready, checks["redis"]], [true, redis]);
  }
});

test("without its database a service is not ready, and says how it fails", async () => {
  const database = databaseHealth(failing(new Error("connect ECONNREFUSED 127.0.0.1:5432")));
  const { ready, checks } = await checkHealth({ roles, database });
  assert.is(ready, false);
  assert.is(checks["database"], "unreachable: connect ECONNREFUSED 127.0.0.1:5432");
});

test("when several addresses fail, each failure is reported", async () => {
  const refused = new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")]);
  const { checks } = await checkHealth({ roles, database: databaseHealth(failing(refused)) });
  assert.is(checks["database"], "unreachable: refused ::1, refused 127.0.0.1");
});

/** A database in this state. */
const saying = (state: object): Database => ({
  query: async <Row>() => [{ standby: false, readOnly: false, missing: [], ...state } as Row],
});

const checkOf = async (
  database: Database,
  evidence?: Parameters<typeof databaseHealth>[1],
): Promise<readonly [boolean, string | undefined]> => {
  const health = { roles, database: databaseHealth(database, evidence) };
  const { ready, checks } = await checkHealth(health);
  return [ready, checks["database"]];
};

test("a database that is read-only or denies a right makes the service not ready, with the reason", async () => {
  assert.equal(await checkOf(saying({})), [true, "ok"]);
  assert.equal(await checkOf(saying({ standby: true })), [
    false,
    "read-only: the database is a standby in recovery",
  ]);
  assert.equal(await checkOf(saying({ readOnly: true })), [
    false,
    "read-only: transactions of the database are read-only",
  ]);
  const missing = ["tidemark_queue.job", "tidemark_queue.job", "tidemark.events"];
  assert.equal(await checkOf(saying({ missing })), [
    false,
    "the role lacks rights on tidemark_queue.job, tidemark.events",
  ]);
  assert.equal(await checkOf(failing(new DatabaseReadOnly("standby"))), [
    false,
    "read-only: the database is a standby in recovery, which takes no writes",
  ]);
  const denied = Object.assign(new DatabaseError("password authentication failed", 0, "error"), {
    code: "28P01",
  });
  assert.equal(await checkOf(failing(denied)), [false, "failing: password authentication failed"]);
});

test("a pool without answers or an operation that cannot succeed makes the service not ready", async () => {
  const quiet = { hungCount: 0, answerTimeoutMs: 5_000, silentMs: () => 4_900 };
  const silent = { ...quiet, silentMs: () => 7_400 };
  const hung = { ...quiet, hungCount: 2, silentMs: () => 0 };
  const faults = () => [] as string[];
  const database = saying({});
  assert.equal(await checkOf(database, { pools: { log: quiet }, faults }), [true, "ok"]);
  assert.equal(await checkOf(database, { pools: { log: quiet, queue: silent }, faults }), [
    false,
    "hung: no statement for the queue was answered for 7 s",
  ]);
  assert.equal(await checkOf(database, { pools: { log: hung }, faults }), [
    false,
    "hung: the server does not end 2 of the statements for the log, such as a commit",
  ]);
  const failed = () => ["queue.enqueue: permission denied for table job", "queue.fetch: so, too"];
  assert.equal(await checkOf(database, { pools: { log: quiet }, faults: failed }), [
    false,
    "failing: queue.enqueue: permission denied for table job (and 1 more)",
  ]);
});

test("concurrent requests share one statement", async () => {
  let asked = 0;
  const database = databaseHealth({
    query: async () => {
      asked++;
      return [];
    },
  });
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => checkHealth({ roles, database })),
  );
  assert.ok(answers.every(({ ready }) => ready));
  assert.is(asked, 1);
});

test("a stopping service is not ready, whatever the database says", async () => {
  const application = {
    listener: () => {},
    health: { roles, database: async () => "ok" },
    sources: {
      pools: {},
      projection: { lag: Effect.succeed([]) },
      queue: { backlog: Effect.succeed({ events: 0, seconds: 0, deadLetters: 0 }) },
    },
  };
  assert.equal(await checkReadiness({ _tag: "Stopping", application }), {
    ready: false,
    checks: { service: "stopping" },
  });
});

test.run();

const flight = suite("singleFlight");

flight("callers at the same time, or a moment later, share one answer", async () => {
  let runs = 0;
  const call = singleFlight(60_000, async () => {
    await delay(1);
    return ++runs;
  });
  assert.equal(await Promise.all([call(), call(), call()]), [1, 1, 1]);
  assert.is(await call(), 1);
  assert.is(runs, 1);
});

flight("an answer that is not reused is still shared while it is found", async () => {
  let runs = 0;
  const call = singleFlight(0, async () => {
    await delay(1);
    return ++runs;
  });
  assert.equal(await Promise.all([call(), call()]), [1, 1]);
  assert.is(await call(), 2);
});

flight("a failure reaches every waiting caller, and the next call runs again", async () => {
  let runs = 0;
  const call = singleFlight(60_000, async () => {
    await delay(1);
    if (++runs === 1) throw new Error("away");
    return runs;
  });
  const failed = await Promise.allSettled([call(), call()]);
  assert.equal(
    failed.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.is(await call(), 2);
});

flight.run();
