import * as assert from "uvu/assert";

import { withClient } from "../db/client.ts";
import { until } from "../scripts/test/patience.ts";
import { accept, anEvent, postEvents, untilLogins, untilReady } from "./api_client.fixture.ts";
import { startService } from "./service_process.fixture.ts";
import { checkOf, nameOf, serviceSuite, untilNotReady } from "./service_suite.fixture.ts";

interface Started {
  url: string;
  service: ReturnType<typeof startService>;
}

const test = serviceSuite<Started>("faults of a database that answers", {
  before: async (context) => {
    context.service = startService(context.settings);
    context.url = await context.service.url();
    await untilReady(context.url);
  },
});

/** Runs SQL in another database of the same server. */
const onServer = (sql: string): Promise<void> =>
  withClient(
    process.env["TEST_DATABASE_URL"] ?? "",
    async (client) => void (await client.query(sql)),
  );

const typeOf = async (answer: Response): Promise<readonly [number, string]> => {
  const { type } = (await answer.json()) as { type: string };
  return [answer.status, type.replace("urn:tidemark:problem:", "")];
};

const linesWith = (output: string, text: string): ReadonlyArray<string> =>
  output.split("\n").filter((line) => line.includes(text));

test("a revoked right is a fault: 500, logged once, counted, not ready; granting it again ends the fault", async ({
  admin,
  role,
  service,
  url,
}) => {
  await admin(`revoke insert on tidemark_queue.job_common, tidemark_queue.job from ${role.name}`);
  for (let i = 0; i < 5; i++) {
    assert.equal(await typeOf(await postEvents(url, [anEvent()])), [500, "database-fault"]);
  }
  await untilNotReady(url, /the role lacks rights on tidemark_queue\.job/);
  const told = linesWith(service.output(), "permission denied");
  assert.is(told.filter((line) => line.includes("queue.enqueue")).length, 1, told.join("\n"));
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(
    metrics,
    /^tidemark_database_failures_total\{(kind="rights",operation="queue\.enqueue"|operation="queue\.enqueue",kind="rights")\} 5$/m,
  );
  await admin(`grant insert on tidemark_queue.job_common, tidemark_queue.job to ${role.name}`);
  await untilReady(url);
  await accept(url, anEvent());
  await untilLogins(url, 1);
});

test("without the right to read quotas, the service says so and is not ready", async ({
  admin,
  role,
  service,
  url,
}) => {
  await admin(`revoke select on tidemark.account_quotas from ${role.name}`);
  await service.prints(/account_quotas\.all/);
  await untilNotReady(url, /account_quotas/);
  await admin(`grant select on tidemark.account_quotas to ${role.name}`);
  await untilReady(url);
});

test("a missing table is a fault of reads, logged and not ready until it is restored", async ({
  admin,
  service,
  url,
}) => {
  await admin("alter table read_models.window_users rename to mislaid");
  const read = () => fetch(`${url}/accounts/acme/summary?top=${Math.ceil(Math.random() * 100)}`);
  assert.equal(await typeOf(await read()), [500, "database-fault"]);
  await until(async () => {
    const answer = await read();
    await answer.body?.cancel();
    const { status, says } = await checkOf(url, "database");
    return status === 503 && /^failing: summaries\.summary: .*does not exist/.test(says);
  }, "it is ready");
  assert.is(linesWith(service.output(), "summaries.summary").length, 1);
  await admin("alter table read_models.mislaid rename to window_users");
  assert.is((await read()).status, 200);
  await untilReady(url);
});

test("a read-only database serves nothing and makes the service not ready, until it is writable again", async ({
  database,
  url,
}) => {
  await accept(url, anEvent());
  await untilLogins(url, 1);
  const name = nameOf(database);
  // As after a failover: open connections break, and new ones lead to a read-only server.
  await onServer(`
    alter database ${name} set default_transaction_read_only = on;
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = '${name}' and application_name = 'tidemark'`);
  await untilNotReady(url, /^read-only: .*default_transaction_read_only is on/);
  assert.equal(await typeOf(await postEvents(url, [anEvent()])), [503, "unavailable"]);
  // No read is served from there: it could be stale.
  const read = await fetch(`${url}/accounts/other/summary`);
  assert.equal(await typeOf(read), [503, "unavailable"]);
  await onServer(`alter database ${name} reset default_transaction_read_only`);
  await untilReady(url);
  // Each pool must notice, and the backlog must be read again.
  const event = anEvent();
  await until(async () => (await postEvents(url, [event])).status === 202, "nothing is accepted");
  await untilLogins(url, 2);
});

test("a service waits for a read-only database at its start, and says why", async ({
  database,
  role,
}) => {
  const name = nameOf(database);
  await onServer(`alter database ${name} set default_transaction_read_only = on`);
  const service = startService({ DATABASE_URL: role.on(database), MIGRATE_ON_START: "false" });
  await service.prints(/Waiting for the database.*default_transaction_read_only is on/s);
  await onServer(`alter database ${name} reset default_transaction_read_only`);
  await untilReady(await service.url());
});

test("while commits hang, a service is not ready although its database answers; it recovers when they end", async ({
  database,
  role,
}) => {
  const service = startService({
    DATABASE_URL: role.on(database),
    DATABASE_STATEMENT_TIMEOUT_MS: "500",
  });
  const url = await service.url();
  await untilReady(url);
  await withClient(database.url, async (client) => {
    await client.query(`
      create function tidemark_queue.hang() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(1); return null; end $$;
      create constraint trigger hang after insert on tidemark_queue.job_common
        deferrable initially deferred for each row execute function tidemark_queue.hang();
      select pg_advisory_lock(1)`);
    const posted = await postEvents(url, [anEvent()]);
    assert.equal(await typeOf(posted), [503, "unavailable"]);
    await untilNotReady(url, /^hung: the server does not end 1 of the statements for the queue/);
    assert.is((await fetch(`${url}/accounts/acme/summary`)).status, 200);
    await client.query("select pg_advisory_unlock(1)");
  });
  await untilReady(url);
  assert.is(await service.stop(), 0);
});

test("while the backlog cannot be read, nothing is accepted, and the service is not ready and says so", async ({
  database,
  url,
}) => {
  await withClient(database.url, async (client) => {
    // As in a careless migration: each statement on the queue waits, and is cancelled.
    await client.query("begin; lock table tidemark_queue.job_common in access exclusive mode");
    const reason = /^unknown: it has not been read for 5 s, and nothing is accepted$/;
    await untilNotReady(url, reason, "backlog");
    assert.equal(await typeOf(await postEvents(url, [anEvent()])), [503, "unavailable"]);
    await client.query("rollback");
  });
  await untilReady(url);
  await accept(url, anEvent());
});

test.run();
