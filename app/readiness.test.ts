import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DatabaseReadOnly } from "../adapters/postgres/errors.ts";
import type { Database } from "../adapters/postgres/pool.ts";
import type { Role } from "./configuration.ts";
import { checkReadiness, reachabilityOf } from "./readiness.ts";

const test = suite("checkReadiness");

const failing = (error: Error): Database => ({
  query: async () => {
    throw error;
  },
});
const answering: Database = { query: async () => [] };
const roles: ReadonlySet<Role> = new Set(["api", "worker"]);

test("while starting it is not ready, and tells why", async () => {
  assert.equal(await checkReadiness({ _tag: "Starting", reason: "4 migrations are pending" }), {
    ready: false,
    checks: { service: "starting: 4 migrations are pending" },
  });
});

test("while running it is ready if the database answers, and names its roles", async () => {
  assert.equal(
    await checkReadiness({ _tag: "Running", roles, reachable: reachabilityOf(answering) }),
    {
      ready: true,
      checks: { database: "ok", migrations: "ok", api: "ok", worker: "ok" },
    },
  );
});

test("Redis is told of, and whether it is there or away does not matter for being ready", async () => {
  for (const redis of ["ok", "unavailable: connect ECONNREFUSED 127.0.0.1:6379"]) {
    const phase = {
      _tag: "Running",
      roles,
      reachable: reachabilityOf(answering),
      redis: () => redis,
    } as const;
    const { ready, checks } = await checkReadiness(phase);
    assert.equal([ready, checks["redis"]], [true, redis]);
  }
});

test("with the database away it is not ready, and tells how it fails", async () => {
  const database = failing(new Error("connect ECONNREFUSED 127.0.0.1:5432"));
  const reachable = reachabilityOf(database);
  const { ready, checks } = await checkReadiness({ _tag: "Running", roles, reachable });
  assert.is(ready, false);
  assert.is(checks["database"], "unreachable: connect ECONNREFUSED 127.0.0.1:5432");
});

test("the failures of several addresses, which have no message together, are told each", async () => {
  const refused = new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")]);
  const phase = { _tag: "Running", roles, reachable: reachabilityOf(failing(refused)) } as const;
  const { checks } = await checkReadiness(phase);
  assert.is(checks["database"], "unreachable: refused ::1, refused 127.0.0.1");
});

/** A database that answers readiness so. */
const saying = (state: object): Database => ({
  query: async <Row>() => [{ standby: false, readOnly: false, missing: [], ...state } as Row],
});

const checkOf = async (
  database: Database,
  evidence?: Parameters<typeof reachabilityOf>[1],
): Promise<readonly [boolean, string | undefined]> => {
  const phase = { _tag: "Running", roles, reachable: reachabilityOf(database, evidence) } as const;
  const { ready, checks } = await checkReadiness(phase);
  return [ready, checks["database"]];
};

test("a database that takes no writes, or gives no right to, is not ready, and the reason is told", async () => {
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

test("a pool without any answer and an operation that cannot succeed make a service not ready", async () => {
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

test("however many ask at once, the database is asked once", async () => {
  let asked = 0;
  const reachable = reachabilityOf({
    query: async () => {
      asked++;
      return [];
    },
  });
  const phase = { _tag: "Running", roles, reachable } as const;
  const answers = await Promise.all(Array.from({ length: 100 }, () => checkReadiness(phase)));
  assert.ok(answers.every(({ ready }) => ready));
  assert.is(asked, 1);
});

test("while stopping it is not ready, whatever the database says", async () => {
  assert.equal(await checkReadiness({ _tag: "Stopping" }), {
    ready: false,
    checks: { service: "stopping" },
  });
});

test.run();
