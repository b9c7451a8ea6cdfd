import { setTimeout as delay } from "node:timers/promises";

import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
} from "../../scripts/test/database.ts";
import { until } from "../../scripts/test/patience.ts";
import { DatabaseReadOnly, DatabaseReplaced } from "./errors.ts";
import { createPool, type PoolOptions } from "./pool.ts";
import type { StatementPool } from "./statement_pool.ts";

interface Context {
  database: TestDatabase;
  /** A session of the test itself. */
  client: Client;
  pools: StatementPool[];
  open: (options: Partial<PoolOptions>) => StatementPool;
}

const test = suite<Context>("a pool that counts the statements that it gave up");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.client = new Client({ connectionString: context.database.url });
  await context.client.connect();
  context.pools = [];
  context.open = (options) => {
    const pool = createPool({
      url: context.database.url,
      connectionsMax: 1,
      connectTimeoutMs: 20_000,
      statementTimeoutMs: 20_000,
      onIdleError: () => {},
      ...options,
    });
    context.pools.push(pool);
    return pool;
  };
});
test.after.each(async ({ database, client, pools }) => {
  await client.end();
  await Promise.all(pools.map((pool) => pool.close()));
  await database.drop();
});

const failureOf = (run: Promise<unknown>): Promise<Error> =>
  run.then(
    () => {
      throw new Error("it should have failed");
    },
    (error: Error) => error,
  );

/** The backends of this database's pools. */
const backends = async ({ client }: Context) => {
  const { rows } = await client.query<{ pid: number; state: string; query: string }>(
    `select pid, state, query from pg_stat_activity
     where datname = current_database() and application_name = 'tidemark' order by pid`,
  );
  return rows;
};

/** Creates a table whose inserts hang in their commit while the test's session holds a lock. */
const hangCommits = async ({ client }: Context): Promise<{ readonly end: () => Promise<void> }> => {
  await client.query(`
    create table hung (id int);
    create function hang() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(1); return null; end $$;
    create constraint trigger hang after insert on hung
      deferrable initially deferred for each row execute function hang();
    select pg_advisory_lock(1)`);
  return { end: async () => void (await client.query("select pg_advisory_unlock(1)")) };
};

test("an aborted statement ends on the server, and its connection is used again", async (context) => {
  const pool = context.open({});
  const gone = new AbortController();
  const running = failureOf(pool.run({ text: "select pg_sleep(60)", values: [] }, gone.signal));
  const sleeps = async (): Promise<boolean> =>
    (await backends(context)).some(
      ({ state, query }) => state === "active" && query.includes("pg_sleep"),
    );
  await until(sleeps, "it does not run");
  const [before] = await backends(context);
  gone.abort(new Error("the client left"));
  assert.is((await running).message, "the client left");
  await until(async () => !(await sleeps()), "it still runs");
  await pool.run({ text: "select 1", values: [] });
  assert.is((await backends(context))[0]?.pid, before?.pid, "the pool opened another connection");
  assert.is(pool.givenUpCount, 0);
});

test("hung commits occupy their connections, and no further ones are opened", async (context) => {
  const commits = await hangCommits(context);
  const control = context.open({ connectionsMax: 1 });
  const pool = context.open({
    connectionsMax: 2,
    statementTimeoutMs: 100,
    connectTimeoutMs: 1_000,
    control,
  });
  const insert = () => pool.run({ text: "insert into hung values ($1)", values: [1] });
  for (const reason of [/no answer within/, /no answer within/, /timeout/, /timeout/]) {
    assert.match((await failureOf(insert())).message, reason);
  }
  assert.is(pool.givenUpCount, 2);
  const hanging = (await backends(context)).filter(({ query }) => query.includes("insert"));
  assert.equal(
    hanging.map(({ state }) => state),
    ["active", "active"],
  );
  await commits.end();
  await until(async () => pool.givenUpCount === 0, "the connections are still occupied");
  await insert();
  const { rows } = await context.client.query<{ n: number }>("select count(*)::int as n from hung");
  assert.is(rows[0]?.n, 3, "what was given up is committed when the server can");
});

test("a hung commit is not cancelled, so that data which may still be lost does not become visible", async (context) => {
  const commits = await hangCommits(context);
  const pool = context.open({ statementTimeoutMs: 100 });
  await failureOf(pool.run({ text: "insert into hung values (1)", values: [] }));
  await delay(1_000);
  const [backend] = await backends(context);
  assert.is(backend?.state, "active");
  assert.is((await context.client.query("select from hung")).rowCount, 0);
  await commits.end();
});

test("a pool closes although the server has not ended a statement", async (context) => {
  const commits = await hangCommits(context);
  const pool = context.open({ statementTimeoutMs: 100 });
  await failureOf(pool.run({ text: "insert into hung values (1)", values: [] }));
  assert.is(pool.givenUpCount, 1);
  await pool.close();
  context.pools.length = 0;
  await commits.end();
});

test("a backend that has ended frees the connection of its statement", async (context) => {
  await hangCommits(context);
  const pool = context.open({ statementTimeoutMs: 100 });
  await failureOf(pool.run({ text: "insert into hung values (1)", values: [] }));
  await context.client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'insert into hung%'",
  );
  await pool.run({ text: "select 1", values: [] });
});

test("statements take turns if the role may have fewer connections than its pool", async (context) => {
  const { database, client, open } = context;
  const role = await createTestRole();
  await client.query(`alter role ${role.name} connection limit 2`);
  const pool = open({ url: role.on(database), connectionsMax: 8 });
  const running = Array.from({ length: 40 }, async (_, i) => {
    const { rows } = await pool.run<{ i: number }>({
      text: "select $1::int as i, pg_sleep(0.01)",
      values: [i],
    });
    return rows[0]?.i;
  });
  assert.equal(
    await Promise.all(running),
    Array.from({ length: 40 }, (_, i) => i),
  );
  await pool.close();
  context.pools.length = 0;
  await until(async () => (await backends(context)).length === 0, "still connected");
  await role.drop();
});

test("a hung commit counts as hung until the server ends it, whatever else is answered", async (context) => {
  const commits = await hangCommits(context);
  const pool = context.open({ connectionsMax: 2, statementTimeoutMs: 100 });
  await failureOf(pool.run({ text: "insert into hung values (1)", values: [] }));
  await until(async () => pool.hungCount === 1, "it is not known to hang");
  await pool.run({ text: "select 1", values: [] });
  assert.is(pool.hungCount, 1);
  await commits.end();
  await until(async () => pool.hungCount === 0, "it still hangs");
  // An aborted statement is cancelled, and does not count as hung.
  const gone = new AbortController();
  const running = failureOf(pool.run({ text: "select pg_sleep(60)", values: [] }, gone.signal));
  await delay(50);
  gone.abort(new Error("the client left"));
  await running;
  await until(async () => pool.givenUpCount === 0, "it is not cancelled");
  assert.is(pool.hungCount, 0);
});

test("an error of the server is an answer, and a statement that waits for a connection has none", async (context) => {
  const pool = context.open({});
  await failureOf(pool.run({ text: "select 1 / 0", values: [] }));
  assert.is(pool.silentMs(), 0);
  const client = await pool.connect();
  const waiting = pool.run({ text: "select 1", values: [] });
  await delay(50);
  assert.ok(pool.silentMs() >= 45, `${pool.silentMs()} ms`);
  client.release();
  await waiting;
  assert.is(pool.silentMs(), 0);
});

const READ_ONLY = /default_transaction_read_only is on/;

test("no session of a database that takes no writes is used, not even for reads", async (context) => {
  const { database, client, open } = context;
  const role = await createTestRole();
  await client.query(`alter role ${role.name} set default_transaction_read_only = on`);
  const pool = open({ url: role.on(database), connectionsMax: 2 });
  for (const text of ["select 1", "select 2"]) {
    const error = await failureOf(pool.run({ text, values: [] }));
    assert.instance(error, DatabaseReadOnly);
    assert.match(error.message, READ_ONLY);
  }
  assert.match((await failureOf(pool.connect())).message, READ_ONLY);
  assert.match((await failureOf(pool.query("select 1"))).message, READ_ONLY);
  await client.query(`alter role ${role.name} reset default_transaction_read_only`);
  await until(
    () =>
      pool.run({ text: "select 1", values: [] }).then(
        () => true,
        () => false,
      ),
    "it is not used again",
  );
  await pool.close();
  context.pools.length = 0;
  await until(async () => (await backends(context)).length === 0, "still connected");
  await role.drop();
});

test("a session that becomes read-only while it is open is not used again", async (context) => {
  const { client, open } = context;
  const pool = open({ connectionsMax: 1 });
  // As a reload of the server's configuration does: the server reports it with the next answer.
  await pool.run({ text: "set default_transaction_read_only = on", values: [] });
  const [before] = await backends(context);
  const { rows } = await pool.run<{ pid: number; set: string }>({
    text: "select pg_backend_pid() as pid, current_setting('transaction_read_only') as set",
    values: [],
  });
  assert.is(rows[0]?.set, "off");
  assert.is.not(rows[0]?.pid, before?.pid);
  assert.is((await client.query("select 1")).rowCount, 1);
});

const pidOf = async (pool: StatementPool): Promise<number | undefined> =>
  (await pool.run<{ pid: number }>({ text: "select pg_backend_pid() as pid", values: [] })).rows[0]
    ?.pid;

test("no connection is used for longer than a minute, and they are not all replaced at the same time", async (context) => {
  const clock = { now: 0 };
  const pool = context.open({ connectionsMax: 16, now: () => clock.now });
  /** The backends of all connections that the pool may open. */
  const pids = async (): Promise<ReadonlySet<number | undefined>> => {
    const clients = await Promise.all(Array.from({ length: 16 }, () => pool.connect()));
    for (const client of clients) client.release();
    return new Set(clients.map((client) => (client as unknown as { processID: number }).processID));
  };
  const first = await pids();
  const left: number[] = [];
  for (clock.now = 39_999; clock.now <= 60_000; clock.now += 5_000) {
    left.push([...(await pids())].filter((pid) => first.has(pid)).length);
  }
  clock.now = 60_000;
  left.push([...(await pids())].filter((pid) => first.has(pid)).length);
  assert.is(left[0], 16, "they are all replaced too early");
  assert.is(left.at(-1), 0, "some are not replaced");
  assert.ok(new Set(left).size > 2, left.join());
});

test("the last connection stays open until the server admits another one, whoever else waits for its slot", async (context) => {
  const { database, client, open } = context;
  const role = await createTestRole();
  await client.query(`alter role ${role.name} connection limit 1`);
  const clock = { now: 0 };
  const pool = open({
    url: role.on(database),
    connectionsMax: 2,
    connectionsMin: 1,
    now: () => clock.now,
  });
  const first = await pidOf(pool);
  const greedy = open({ url: role.on(database) });
  assert.match((await failureOf(greedy.connect())).message, /too many connections/);
  for (let i = 0; i < 3; i++) {
    clock.now += 60_000;
    assert.is(await pidOf(pool), first);
    assert.match((await failureOf(greedy.connect())).message, /too many connections/);
  }
  await client.query(`alter role ${role.name} connection limit 2`);
  assert.is(await pidOf(pool), first, "it retries too early");
  clock.now += 5_000;
  const second = await pidOf(pool);
  assert.is.not(second, first);
  await until(async () => (await backends(context)).length === 1, "the old one is left open");
  clock.now += 39_000;
  assert.is(await pidOf(pool), second);
  await pool.close();
  await greedy.close();
  context.pools.length = 0;
  await until(async () => (await backends(context)).length === 0, "still connected");
  await role.drop();
});

test("a statement that builds on an ended history of the database is not sent", async (context) => {
  const place = { history: 0, enter: async (): Promise<void> => {} };
  const timelines = { enter: () => place.enter(), history: () => place.history };
  const pool = context.open({ connectionsMax: 1, timelines });
  const insert = { text: "create table built_on ()", values: [] };
  // Opening the connection reveals that another server has replaced the former one.
  place.enter = async () => void place.history++;
  assert.instance(await failureOf(pool.run(insert, undefined, 0)), DatabaseReplaced);
  const { rows } = await pool.run<{ made: boolean }>(
    { text: "select to_regclass('built_on') is not null as made", values: [] },
    undefined,
    1,
  );
  assert.equal(rows, [{ made: false }]);
});

test.run();
