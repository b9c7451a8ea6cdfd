import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DatabaseUnreachable, MigrationsLocked, QueueSchemaFailed } from "../../db/errors.ts";
import { migrate } from "../../db/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../../scripts/test/database.ts";
import { until } from "../../scripts/test/patience.ts";
import { makeTcpGate } from "../tcp_gate.fixture.ts";
import { explain, reasonToWait } from "./wait.ts";

const real = suite<{ database: TestDatabase }>("a database that cannot be used");

real.before(async (context) => {
  context.database = await createTestDatabase();
});
real.after(async ({ database }) => {
  await database.drop();
});

const failureOf = (url: string): Promise<unknown> =>
  migrate(url).then(
    () => assert.unreachable("it should have failed"),
    (error: unknown) => error,
  );

for (const [what, change, message] of [
  ["a wrong password", (url) => (url.password = "wrong-secret"), /password authentication failed/],
  ["no password", (url) => (url.password = ""), /password must be a string/],
  ["no such user", (url) => (url.username = "nobody"), /"nobody"/],
  ["no such database", (url) => (url.pathname = "/nowhere"), /"nowhere" does not exist/],
  ["TLS that it has not", (url) => (url.search = "sslmode=no-verify"), /does not support SSL/],
] as ReadonlyArray<[string, (url: URL) => void, RegExp]>) {
  real(`${what} does not pass by waiting: DATABASE_URL must change`, async ({ database }) => {
    const url = new URL(database.url);
    change(url);
    const error = await failureOf(url.href);
    assert.is(reasonToWait(error), undefined);
    assert.match(explain(error), message);
    assert.match(explain(error), / Check DATABASE_URL\.$/);
    for (const secret of ["wrong-secret", new URL(database.url).password]) {
      assert.not.match(explain(error), secret);
    }
    await until(
      async () => !process.getActiveResourcesInfo().includes("TCPSocketWrap"),
      "the connection that failed is not closed",
    );
  });
}

real("waits for a server that refuses, hangs up or has no address", async ({ database }) => {
  const gate = await makeTcpGate(database.url);
  assert.match(reasonToWait(await failureOf(gate.url)) ?? "", /ECONNREFUSED/);
  await gate.hangUp();
  assert.match(reasonToWait(await failureOf(gate.url)) ?? "", /terminated|ECONNRESET/);
  await gate.close();
  const unknown = reasonToWait(await failureOf("postgres://nowhere.invalid/x"));
  assert.match(unknown ?? "", /ENOTFOUND|EAI_AGAIN/);
});

real.run();

const judged = suite("reasonToWait");

const saying = (code: string): DatabaseError => {
  const error = new DatabaseError("it says so", 0, "error");
  error.code = code;
  return error;
};

judged("waits for a server that starts, stops or has no free connection", () => {
  for (const code of ["57P03", "57P01", "53300", "08006"]) {
    assert.is(reasonToWait(saying(code)), "it says so", code);
    const reason = "The database cannot be reached: it says so";
    assert.is(reasonToWait(new DatabaseUnreachable(saying(code))), reason);
  }
});

judged("the root cause of a failure counts", () => {
  const away = new QueueSchemaFailed("s", saying("57P01"));
  assert.match(reasonToWait(away) ?? "", "it says so");
  const refused = new QueueSchemaFailed("s", saying("42501"));
  assert.is(reasonToWait(refused), undefined);
});

judged("waits for another process that migrates", () => {
  assert.match(reasonToWait(new MigrationsLocked(1, ["pid 7"])) ?? "", "pid 7");
});

judged("bugs are not faults of the database", () => {
  const faults = [new TypeError("x is not a function"), new Error("no"), "text", undefined];
  for (const fault of faults) assert.is(reasonToWait(fault), undefined);
});

judged.run();

const explained = suite("explain");

explained("a hint of the server follows its message", () => {
  const error = saying("P0001");
  error.hint = "Set SHARDS=8.";
  assert.is(explain(error), "It says so. Set SHARDS=8.");
});

explained("a message that ends with a full stop gets no second one", () => {
  assert.is(explain(new Error("Stop.")), "Stop.");
});

explained.run();
