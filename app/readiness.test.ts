import { suite } from "uvu";
import * as assert from "uvu/assert";

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
  for (const redis of ["ok", "away: connect ECONNREFUSED 127.0.0.1:6379"]) {
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
