import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startBoss } from "../adapters/pg_boss/boss.ts";
import { EVENTS_QUEUE, installQueues } from "../adapters/pg_boss/queue_settings.ts";
import { ensureShards } from "../adapters/postgres/event_log.ts";
import { createPool, databaseOf, executorOf } from "../adapters/postgres/pool.ts";
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

interface Context {
  database: TestDatabase;
  /** Migrates: owns the database, and is not a superuser. */
  owner: TestRole;
  /** Serves. */
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
  await prepare(url);
  // The second time changes nothing.
  for (let time = 0; time < 2; time++) {
    assert.equal(await grantApplicationRole(url, role.name), []);
  }
});
test.after(async ({ database, owner, role }) => {
  await database.drop();
  await role.drop();
  await owner.drop();
});

/** Migrates a database as a role. */
const prepare = async (url: string): Promise<void> => {
  await migrate(url);
  await installQueueSchema(url, { installQueues });
  await withClient(url, (client) => ensureShards(databaseOf(client), 8));
};

const run = (url: string, sql: string) => withClient(url, (client) => client.query(sql));

/** The SQLSTATE that a statement fails with; undefined if it succeeds. It is rolled back. */
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
  // tidemark.append is the only way to write to it: no position of one's choice, no time in the
  // past.
  "insert into tidemark.events select * from tidemark.events",
  `insert into tidemark.events (position, occurred_at, recorded_at, fingerprint, shard, account_id, event_id, user_id, type)
   values (0, now(), '2020-01-01', 1, 0, 'a', 'e', 'u', 'login')`,
  "update tidemark.log_heads set position = 1000000",
  "delete from tidemark.log_heads",
  "insert into tidemark.log_heads values (100, 0)",
  "select from tidemark.log_heads for update",
  "update tidemark.generations set state = 'retired'",
  "create temporary table mine (a int)",
  "insert into tidemark.key_administrators values (current_user)",
  "update tidemark.log_identity set secret = ''",
  // Access rights.
  `insert into tidemark.api_keys (id, secret_hash, scopes)
   values ('mine', sha256('secret'), '{admin}')`,
  "update tidemark.api_keys set revoked_at = null",
  "delete from tidemark.api_keys",
  "insert into tidemark.account_quotas values ('acme', 1)",
  "delete from tidemark.account_quotas",
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
  "select tidemark.advance_window(0::smallint, 10)",
  "select tidemark.build_window(0::smallint)",
  "select * from tidemark.api_keys, tidemark.account_quotas",
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

test("it may use what the owner creates later, such as the next generation of read models and its tables", async ({
  database,
  owner,
  role,
}) => {
  const by = owner.on(database);
  const url = role.on(database);
  await run(by, "select tidemark.begin_generation('{}')");
  await run(
    by,
    `create table read_models.later (a int);
     create table read_models_2.later (a int);
     create table tidemark_queue.later (a int);
     create table tidemark.later (a int);`,
  );
  for (const sql of [
    "delete from read_models_2.activity_by_type",
    "delete from read_models_2.later",
    "delete from read_models.later",
    "delete from tidemark_queue.later",
    "select * from tidemark.later",
  ]) {
    assert.is(await failureOf(url, sql), undefined, sql);
  }
  assert.is(await failureOf(url, "delete from tidemark.later"), FORBIDDEN);
  assert.is(await failureOf(url, "drop table read_models_2.activity_by_type"), FORBIDDEN);
  // A flip revokes nothing, also on tables that are created after it.
  await run(
    by,
    "drop table read_models.later; drop table read_models_2.later; drop table tidemark_queue.later; drop table tidemark.later",
  );
  await run(by, "select tidemark.flip_generation(2)");
  await run(by, "create table read_models.later (a int)");
  for (const sql of [
    "delete from read_models.activity_by_type",
    "select tidemark.advance_window(0::smallint, 10)",
    "delete from read_models.later",
    "select * from read_models_1.activity_by_type",
  ]) {
    assert.is(await failureOf(url, sql), undefined, sql);
  }
});

test("rights that an earlier version granted are revoked", async ({ database, owner, role }) => {
  const by = owner.on(database);
  await run(
    by,
    `grant all on all tables in schema tidemark to ${role.name};
     alter default privileges grant all on tables to ${role.name}`,
  );
  assert.is(await failureOf(role.on(database), "delete from tidemark.api_keys"), undefined);
  assert.equal(await grantApplicationRole(by, role.name), []);
  await run(by, "create table tidemark.later (a int)");
  for (const sql of [
    "delete from tidemark.api_keys",
    "insert into tidemark.events_0 select * from tidemark.events",
    "delete from tidemark.later",
  ]) {
    assert.is(await failureOf(role.on(database), sql), FORBIDDEN, sql);
  }
  await run(by, "drop table tidemark.later");
});

test("a role that administers keys may write them and nothing else, until that is revoked", async ({
  database,
  owner,
  role,
}) => {
  const by = owner.on(database);
  const mayWriteKeys = async () =>
    (await failureOf(role.on(database), "delete from tidemark.api_keys")) === undefined;
  assert.equal(await grantApplicationRole(by, role.name, { administersKeys: true }), []);
  // Migrations grant again without that option.
  assert.equal(await grantApplicationRole(by, role.name), []);
  assert.ok(await mayWriteKeys());
  for (const sql of ["delete from tidemark.log_heads", "delete from tidemark.key_administrators"]) {
    assert.is(await failureOf(role.on(database), sql), FORBIDDEN, sql);
  }
  assert.equal(await grantApplicationRole(by, role.name, { administersKeys: false }), []);
  assert.not.ok(await mayWriteKeys());
});

/** A call of tidemark.append with one event, but for what is given. */
const appendOf = (changed: Readonly<Record<string, string>> = {}): string => {
  const parameters = {
    shard: "0::smallint",
    accounts: "'{a}'",
    ids: "'{e}'",
    users: "'{u}'",
    types: "'{login}'",
    times: "'{0}'",
    fingerprints: "'{1}'",
    metadata: "'{null}'",
    ...changed,
  };
  return `select tidemark.append(${Object.values(parameters).join(", ")})`;
};

test("an append refuses unknown shards, arrays of different lengths and times out of range", async ({
  database,
  role,
}) => {
  for (const [changed, expected] of [
    [{}, undefined],
    [{ accounts: "'{}'" }, "22023"],
    [{ ids: "'{e,f}'" }, "22023"],
    [{ metadata: "'{}'" }, "22023"],
    [{ metadata: "null" }, "22023"],
    [{ shard: "100::smallint" }, "P0002"],
    [{ shard: "null" }, "P0002"],
    [{ users: "'{null}'" }, "23502"],
    [{ times: "'{Infinity}'" }, "22008"],
    [{ times: "'{-Infinity}'" }, "22008"],
    [{ times: "'{NaN}'" }, "22008"],
    [{ times: "'{253402300800000}'" }, "22008"],
    [{ times: "'{null}'" }, "23502"],
  ] as const) {
    const failure = await failureOf(role.on(database), appendOf(changed));
    assert.is(failure, expected, JSON.stringify(changed));
  }
});

test("the objects and settings of its caller do not change what an append does", async ({
  database,
  owner,
  role,
}) => {
  // Functions that an unqualified name would find before Postgres's own.
  const by = owner.on(database);
  await run(
    by,
    `create schema trap;
     create function trap.clock_timestamp() returns timestamptz language sql as 'select ''2020-01-01''::timestamptz';
     create function trap.to_timestamp(float8) returns timestamptz language sql as 'select ''2020-01-01''::timestamptz';
     grant usage on schema trap to ${role.name}`,
  );
  await withClient(role.on(database), async (client) => {
    await client.query("set search_path = trap, pg_catalog");
    await client.query(appendOf({ ids: "'{trapped}'" }));
    const { rows } = await client.query<{ fine: boolean }>(
      `select occurred_at = 'epoch' and recorded_at > now() - interval '1 minute' as fine
       from tidemark.events where event_id = 'trapped'`,
    );
    assert.equal(rows, [{ fine: true }]);
  });
  await run(by, "drop schema trap cascade");
});

test("a role without the right may not append", async ({ database }) => {
  const stranger = await createTestRole();
  assert.is(await failureOf(stranger.on(database), appendOf()), FORBIDDEN);
  await run(database.url, `grant usage on schema tidemark to ${stranger.name}`);
  assert.is(await failureOf(stranger.on(database), appendOf()), FORBIDDEN);
  await run(database.url, `revoke usage on schema tidemark from ${stranger.name}`);
  await stranger.drop();
});

test("excess rights of a role are listed", async ({ database, owner, role }) => {
  const superuser = new URL(database.url).username;
  const by = owner.on(database);
  assert.equal(await grantApplicationRole(database.url, superuser), ["it is a superuser"]);
  assert.match((await grantApplicationRole(by, owner.name)).join(), "it owns the schema");
  const { pathname } = new URL(database.url);
  await run(database.url, `grant create on database ${pathname.slice(1)} to ${role.name}`);
  await run(database.url, `grant create on schema public to ${role.name}`);
  await run(database.url, `alter role ${role.name} createrole`);
  // Rights by membership in another role cannot be revoked from the role itself.
  await run(database.url, `grant pg_write_all_data to ${role.name}`);
  const excess = await grantApplicationRole(by, role.name);
  assert.equal(
    excess.map((each) => each.split(":")[0]),
    [
      "it may create schemas",
      "it may create tables in the schema public",
      "it may write to the log without tidemark.append",
      "it may write API keys or quotas, which --administer-keys has not granted",
      "it may create roles",
    ],
  );
  await run(database.url, `revoke pg_write_all_data from ${role.name}`);
  await run(database.url, `alter role ${role.name} nocreaterole`);
  await run(database.url, `revoke create on database ${pathname.slice(1)} from ${role.name}`);
  await run(database.url, `revoke create on schema public from ${role.name}`);
});

test("a migrating role that does not own the database grants what it can and reports the rest", async () => {
  const database = await createTestDatabase();
  const owner = await createTestRole();
  const role = await createTestRole();
  const name = new URL(database.url).pathname.slice(1);
  await run(database.url, `grant create on database ${name} to ${owner.name}`);
  await prepare(owner.on(database));
  assert.equal(await grantApplicationRole(owner.on(database), role.name), [
    "it may create temporary tables: revoke temporary on database, from public too",
  ]);
  await run(database.url, `revoke temporary on database ${name} from public`);
  assert.equal(await grantApplicationRole(owner.on(database), role.name), []);
  await database.drop();
  await role.drop();
  await owner.drop();
});

test("an unknown role is refused with the way to create it", async ({ database, owner }) => {
  try {
    await grantApplicationRole(owner.on(database), 'no"body');
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ApplicationRoleMissing);
    assert.match((error as Error).message, /The role no"body does not exist. .*create role/);
  }
});

test("the serving role is distinguished from the migrating one, and two databases are refused", async ({
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
