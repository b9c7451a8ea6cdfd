import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startBoss } from "../adapters/pg_boss/boss.ts";
import { EVENTS_QUEUE, installQueues } from "../adapters/pg_boss/queue_settings.ts";
import { createPool, executorOf } from "../adapters/postgres/pool.ts";
import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from "../scripts/test/database.ts";
import { applicationRoleOf, grantApplicationRole } from "./application_role.ts";
import { withClient } from "./client.ts";
import { ApplicationRoleMissing, DatabasesDiffer } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { installQueueSchema } from "./queue_schema.ts";
import { createShards } from "./shards.ts";

interface Context {
  database: TestDatabase;
  /** Who migrates: owns the database, and is no superuser. */
  owner: TestRole;
  /** Who serves. */
  role: TestRole;
}

const test = suite<Context>("the application's role");

test.before(async (context) => {
  context.database = await createTestDatabase();
  context.owner = await createTestRole();
  context.role = await createTestRole();
  const { database, owner, role } = context;
  const { pathname } = new URL(database.url);
  await run(database.url, `alter database ${pathname.slice(1)} owner to ${owner.name}`);
  const url = owner.on(database);
  await migrate(url);
  await installQueueSchema(url, { installQueues });
  assert.is(await createShards(url), 8);
  // Once more changes nothing.
  for (let time = 0; time < 2; time++) {
    assert.equal(await grantApplicationRole(url, role.name), []);
  }
});
test.after(async ({ database, owner, role }) => {
  await database.drop();
  await role.drop();
  await owner.drop();
});

const run = (url: string, sql: string) => withClient(url, (client) => client.query(sql));

/** The SQLSTATE that a statement fails with; undefined when it does not. What it did is rolled back. */
const failureOf = async (url: string, sql: string): Promise<string | undefined> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("begin");
    await client.query(sql);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  } finally {
    await client.end();
  }
};

const FORBIDDEN = "42501";

for (const sql of [
  "create schema mine",
  "create table tidemark.mine (a int)",
  "create table public.mine (a int)",
  "create table read_models.mine (a int)",
  "create table tidemark_queue.mine (a int)",
  "create function tidemark.mine() returns int language sql as 'select 1'",
  "create index on tidemark.events (user_id)",
  "alter table tidemark.events add column mine int",
  "alter table tidemark.events detach partition tidemark.events_0",
  "alter schema read_models rename to mine",
  "drop table tidemark.events",
  "drop table tidemark.events_0",
  "drop schema read_models cascade",
  "truncate tidemark.events",
  "truncate read_models.activity_by_type",
  // The log is append-only.
  "update tidemark.events set user_id = 'x'",
  "delete from tidemark.events",
  "update tidemark.events_0 set user_id = 'x'",
  "delete from tidemark.events_0",
  "insert into tidemark.events_0 select * from tidemark.events_0",
  "delete from tidemark.schema_migrations",
  "update tidemark.log_identity set id = gen_random_uuid()",
  "create role mine",
]) {
  test(`it may not: ${sql}`, async ({ database, role }) => {
    assert.is(await failureOf(role.on(database), sql), FORBIDDEN);
  });
}

for (const sql of [
  "select tidemark.ensure_shards(8)",
  "select tidemark.append(0::smallint, '{a}', '{e}', '{u}', '{login}', '{0}', '{1}', '{null}')",
  "select * from tidemark.schema_migrations, tidemark.log_identity",
  "insert into read_models.activity_by_type values (now(), 1, 0, 'a', 'login')",
  "delete from read_models.window_requests",
  "select read_models.advance_window(0::smallint, 10)",
  "delete from tidemark.account_quotas",
  "delete from tidemark_queue.job",
]) {
  test(`it may: ${sql}`, async ({ database, role }) => {
    assert.is(await failureOf(role.on(database), sql), undefined);
  });
}

test("it may do what the queue's supervisor does in the background", async ({ database, role }) => {
  const pool = createPool({
    url: role.on(database),
    connectionsMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 20_000,
    onIdleError: () => {},
  });
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  const boss = await startBoss({ execute: executorOf(pool), supervise: false, onError });
  await boss.insert(EVENTS_QUEUE, [{ data: {} }]);
  await boss.supervise();
  await installQueues(boss);
  await boss.stop({ graceful: false });
  await pool.end();
  assert.equal(errors, []);
});

test("what the owner creates later it may use, too: a generation of read models, another table", async ({
  database,
  owner,
  role,
}) => {
  await run(
    owner.on(database),
    `create schema read_models_2;
     create table read_models_2.activity_by_type (a int);
     create function read_models_2.one() returns int language sql as 'select 1';
     create table tidemark.later (a int);`,
  );
  const url = role.on(database);
  for (const sql of [
    "insert into read_models_2.activity_by_type values (1)",
    "select read_models_2.one()",
    "delete from tidemark.later",
  ]) {
    assert.is(await failureOf(url, sql), undefined, sql);
  }
  assert.is(await failureOf(url, "drop table read_models_2.activity_by_type"), FORBIDDEN);
  // And a flip takes nothing away.
  await run(
    owner.on(database),
    "alter schema read_models rename to read_models_1; alter schema read_models_2 rename to read_models",
  );
  assert.is(await failureOf(url, "select * from read_models.activity_by_type"), undefined);
  assert.is(await failureOf(url, "select * from read_models_1.activity_by_type"), undefined);
  await run(
    owner.on(database),
    "alter schema read_models rename to read_models_2; alter schema read_models_1 rename to read_models",
  );
});

test("a role that may do more is told how", async ({ database, owner, role }) => {
  const superuser = new URL(database.url).username;
  const by = owner.on(database);
  assert.equal(await grantApplicationRole(database.url, superuser), ["it is a superuser"]);
  assert.match((await grantApplicationRole(by, owner.name)).join(), "it owns the schema");
  const { pathname } = new URL(database.url);
  await run(database.url, `grant create on database ${pathname.slice(1)} to ${role.name}`);
  await run(database.url, `grant create on schema public to ${role.name}`);
  const excess = await grantApplicationRole(by, role.name);
  assert.equal(
    excess.map((each) => each.split(":")[0]),
    ["it may create schemas", "it may create tables in the schema public"],
  );
  await run(database.url, `revoke create on database ${pathname.slice(1)} from ${role.name}`);
  await run(database.url, `revoke create on schema public from ${role.name}`);
});

test("a role that is none is told, with how to create it", async ({ database, owner }) => {
  try {
    await grantApplicationRole(owner.on(database), 'no"body');
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ApplicationRoleMissing);
    assert.match((error as Error).message, /There is no role no"body. .*create role/);
  }
});

test("who serves is told from who migrates, and two databases are no such pair", async ({
  database,
  owner,
  role,
}) => {
  assert.is(await applicationRoleOf(role.on(database), owner.on(database)), role.name);
  assert.is(await applicationRoleOf(owner.on(database), owner.on(database)), undefined);
  const other = await createTestDatabase();
  try {
    await applicationRoleOf(database.url, other.url);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DatabasesDiffer);
  } finally {
    await other.drop();
  }
});

test.run();
