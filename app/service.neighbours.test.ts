import { setTimeout as delay } from "node:timers/promises";

import { Client } from "pg";
import * as assert from "uvu/assert";

import { until } from "../scripts/test/patience.ts";
import { anEvent, type SentEvent } from "./api_client.fixture.ts";
import { createKey, withKeys } from "./api_key.fixture.ts";
import { startService } from "./service_process.fixture.ts";
import { type ServiceContext, serviceSuite } from "./service_suite.fixture.ts";

/** A session of the test itself. */
interface Session {
  client: Client;
}

type Context = ServiceContext & Session;

const test = serviceSuite<Session>("a service whose database is slow for one client", {
  before: async (context) => {
    context.client = new Client({ connectionString: context.database.url });
    await context.client.connect();
  },
  after: ({ client }) => client.end(),
});

/** The default of DATABASE_CONNECTIONS_MAX. */
const CONNECTIONS_MAX = 14;

const settingsOf = ({ settings }: Context) => ({
  ...settings,
  // Otherwise clients would count by address, all as one, until the first key is known.
  AUTH: "required",
  // No request times out.
  REQUEST_TIMEOUT_MS: "120000",
});

/** A client with a key. */
const asker = (url: string, key: string) => {
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    });
  const statusOf = async (response: Promise<Response>): Promise<number> => {
    const { status, body } = await response;
    await body?.cancel();
    return status;
  };
  return {
    ask,
    status: (path: string) => statusOf(ask(path)),
    post: (...events: ReadonlyArray<SentEvent>) =>
      statusOf(ask("/events", { method: "POST", body: JSON.stringify({ events }) })),
  };
};

const ascending = (a: number, b: number): number => a - b;

const WHALE = "whale";

/**
 * The longest summary of the whale; each number is a different question, which no cache answers.
 */
const whaleSummary = (i: number): string => {
  const to = Date.now() + 1_000;
  const from = new Date(to - 399 * 86_400_000).toISOString();
  const range = `from=${from}&to=${new Date(to).toISOString()}`;
  return `/accounts/${WHALE}/summary?${range}&top=${1 + (i % 100)}`;
};

/** Makes each read of the whale's events take two minutes. */
const slowDown = ({ client }: Context) =>
  client.query(`
    create function public.slowly() returns boolean language plpgsql volatile as $$
      begin perform pg_sleep(120); return true; end $$;
    alter table tidemark.events enable row level security;
    create policy rows on tidemark.events
      using (account_id <> '${WHALE}' or public.slowly()) with check (true)`);

/** How many statements read the whale. */
const slowReads = async ({ client }: Context): Promise<number> => {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and wait_event = 'PgSleep'`,
  );
  return rows[0]?.n ?? 0;
};

/** A service with a whale that is slow to read, and a client that reads it. */
const attacked = async (context: Context, reads: number) => {
  const { database } = context;
  const service = startService(settingsOf(context));
  const url = await service.url();
  const victim = asker(url, (await createKey(database.url, ["write", "read"])).text);
  const attacker = asker(url, (await createKey(database.url, ["read"])).text);
  const leaver = await createKey(database.url, ["read"]);
  assert.is(await victim.post(anEvent({ account_id: WHALE })), 202);
  const sample = async (): Promise<string> =>
    (await victim.ask("/accounts/sample")).text().then((text) => text);
  await until(async () => (await sample()).includes(WHALE), "the whale is not counted");
  await slowDown(context);
  const left = new AbortController();
  const asked = Array.from({ length: reads }, (_, i) =>
    attacker.ask(whaleSummary(i), { signal: left.signal }).catch(() => undefined),
  );
  await until(async () => (await slowReads(context)) > 0, "nobody reads the whale");
  const leave = async (): Promise<void> => {
    left.abort();
    await Promise.all(asked);
  };
  return { url, victim, attacker, leaver, asked, leave, service };
};

test("twelve endless reads of one client affect neither reads, posts and readiness nor the refusal of a revoked key", async (context) => {
  const { url, victim, leaver, leave } = await attacked(context, 12);
  const leaving = asker(url, leaver.text);
  assert.is(await leaving.status("/accounts/a/summary"), 200);
  await withKeys(context.database.url, (keys) => keys.revoke(leaver.id, 0));
  const revokedAt = performance.now();
  const statuses = { reads: new Set<number>(), posts: new Set<number>(), ready: new Set<number>() };
  let refused = false;
  for (let i = 0; i < 5 || (!refused && performance.now() - revokedAt < 5_000); i++) {
    const [read, post, ready, revoked] = await Promise.all([
      victim.status(`/accounts/unread-${i}/summary`),
      victim.post(anEvent()),
      victim.status("/readyz"),
      leaving.status("/accounts/a/summary"),
    ]);
    statuses.reads.add(read);
    statuses.posts.add(post);
    statuses.ready.add(ready);
    refused ||= revoked === 401;
    await delay(20);
  }
  assert.equal(
    Object.values(statuses).map((seen) => [...seen]),
    [[200], [202], [200]],
  );
  assert.ok(refused, "five seconds after it was revoked the key is still good");
  await leave();
});

test("running and waiting reads of a client that disconnects end on the server", async (context) => {
  const { victim, leave } = await attacked(context, 12);
  await leave();
  await until(async () => (await slowReads(context)) === 0, "they go on");
  assert.is(await victim.status("/accounts/unread/summary"), 200);
});

test("a client with too many waiting reads gets 429", async (context) => {
  const { asked, leave } = await attacked(context, 100);
  const refused = await Promise.race(asked);
  assert.is(refused?.status, 429);
  assert.match(refused?.headers.get("retry-after") ?? "", /^[1-9][0-9]*$/);
  assert.match((await refused?.text()) ?? "", "urn:tidemark:problem:too-many-reads");
  assert.ok((await slowReads(context)) < 3, "one client has all connections");
  await leave();
});

test("hanging commits take no more connections than their pool has, reads continue, and the service recovers", async (context) => {
  const { client, database, role } = context;
  // Like a commit that waits for a disk or a standby, the hanging one must not notice that its
  // client has left.
  await client.query(`alter role ${role.name} set client_connection_check_interval = 0`);
  const service = startService({
    ...settingsOf(context),
    DATABASE_STATEMENT_TIMEOUT_MS: "200",
    DATABASE_CONNECT_TIMEOUT_MS: "500",
  });
  const url = await service.url();
  const key = await createKey(database.url, ["write", "read"]);
  const leaver = await createKey(database.url, ["read"]);
  const { status, post } = asker(url, key.text);
  await until(async () => (await post(anEvent())) === 202, "it accepts nothing");
  const leaving = asker(url, leaver.text);
  assert.is(await leaving.status("/accounts/a/summary"), 200);
  await client.query(`
    create function public.hang() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(1); return null; end $$;
    create constraint trigger hang after insert on tidemark_queue.job
      deferrable initially deferred for each row execute function public.hang();
    select pg_advisory_lock(1)`);
  await withKeys(database.url, (keys) => keys.revoke(leaver.id, 0));
  for (let i = 0; i < 8; i++) {
    assert.equal(await Promise.all([post(anEvent()), post(anEvent())]), [503, 503]);
    // It answers immediately. It is not ready once a commit is known to hang.
    assert.ok([200, 503].includes(await status("/readyz")));
    assert.is(await status(`/accounts/unread-${i}/summary`), 200);
  }
  await until(async () => (await status("/readyz")) === 503, "it is ready though commits hang");
  assert.is(await leaving.status("/accounts/a/summary"), 401);
  const { rows } = await client.query<{ all: number; hung: number }>(
    `select count(*)::int as all, count(*) filter (where wait_event_type = 'Lock')::int as hung
     from pg_stat_activity where datname = current_database() and application_name = 'tidemark'`,
  );
  assert.ok((rows[0]?.hung ?? 0) <= 3, `${rows[0]?.hung} connections hang`);
  assert.ok((rows[0]?.all ?? 0) <= CONNECTIONS_MAX, `it has ${rows[0]?.all} connections`);
  await client.query("select pg_advisory_unlock(1)");
  await until(async () => (await post(anEvent())) === 202, "it no longer accepts anything");
  assert.is(await service.stop(), 0);
});

test("a role whose connection limit becomes too low costs no request", async (context) => {
  const { client, database, role } = context;
  const service = startService(settingsOf(context));
  const url = await service.url();
  const { status, post } = asker(url, (await createKey(database.url, ["write", "read"])).text);
  assert.is(await post(anEvent()), 202);
  // Fewer than it has open, and would open now.
  await client.query(`alter role ${role.name} connection limit 4`);
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        i % 3 > 0 ? status(`/accounts/unread-${round}-${i}/summary`) : post(anEvent()),
      ),
    );
    assert.equal([...new Set(answers)].toSorted(ascending), [200, 202]);
  }
  assert.is(await service.stop(), 0);
});

test("a role with too low a connection limit is reported at start", async (context) => {
  await context.client.query(`alter role ${context.role.name} connection limit 5`);
  const service = startService(settingsOf(context));
  assert.is(await service.ended, 1);
  assert.match(
    service.output(),
    "The connection limit of the role in DATABASE_URL is 5. Tidemark needs at least 6",
  );
});

test("a service works with fewer connections than configured, and says so", async (context) => {
  const { client, database, role } = context;
  await client.query(`alter role ${role.name} connection limit 7`);
  const service = startService(settingsOf(context));
  const url = await service.url();
  const { status, post } = asker(url, (await createKey(database.url, ["write", "read"])).text);
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? status(`/accounts/unread-${i}/summary`) : post(anEvent()),
    ),
  );
  assert.equal([...new Set(answers)].toSorted(ascending), [200, 202]);
  assert.match(
    service.output(),
    "The database allows fewer connections than DATABASE_CONNECTIONS_MAX",
  );
  assert.is(await service.stop(), 0);
});

test.run();
