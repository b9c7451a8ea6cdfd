import { suite } from "uvu";
import * as assert from "uvu/assert";

import { withClient } from "../db/client.ts";
import { until } from "../scripts/test/patience.ts";
import { type PostgresPair, startPostgresPair } from "../scripts/test/postgres_pair.ts";
import { skipSuite } from "../scripts/test/skip.ts";
import {
  accept,
  anEvent,
  postEvents,
  statusOf,
  totalsOf,
  untilReady,
} from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";
import { untilNotReady } from "./service_suite.fixture.ts";
import { makeTcpGate, type TcpGate } from "./tcp_gate.fixture.ts";

interface Context {
  pair: PostgresPair;
  /** Where the standby connects to its primary. */
  way: TcpGate;
  /** Where the service connects to its database. */
  gate: TcpGate;
}

const test = suite<Context>("failover to a standby");

test.before.each(async (context) => {
  context.pair = await startPostgresPair(async (primaryUrl) => {
    context.way = await makeTcpGate(primaryUrl);
    await context.way.open();
    return context.way.url;
  });
  context.gate = await makeTcpGate(context.pair.primary.url);
  await context.gate.open();
});
test.after.each(killServices);
test.after.each(async ({ gate, pair, way }) => {
  await gate.close();
  await way.close();
  await pair.close();
});

/** The first column of the first row. */
const ask = (url: string, statement: string): Promise<unknown> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
    return rows[0]?.[0];
  });

/** How many connections of the service lead to a server. */
const sessionsOn = (url: string): Promise<unknown> =>
  ask(url, "select count(*)::int from pg_stat_activity where application_name = 'tidemark'");

/** While connections move to another server, a read can be refused even if the service is ready. */
const untilCounted = (url: string, logins: number): Promise<void> =>
  until(async () => {
    const response = await fetch(`${url}/accounts/acme/summary`);
    const { totals } = (await response.json()) as { totals?: Record<string, number> };
    return response.status === 200 && totals?.["login"] === logins;
  }, `acme has no ${logins} logins`);

const untilAccepted = async (url: string): Promise<void> => {
  const event = anEvent();
  await until(async () => (await postEvents(url, [event])).status === 202, "nothing is accepted");
};

const caughtUp = async ({ primary, standby }: PostgresPair): Promise<void> => {
  const written = String(await ask(primary.url, "select pg_current_wal_lsn()"));
  await until(
    async () =>
      (await ask(standby.url, `select pg_last_wal_replay_lsn() >= '${written}'`)) === true,
    "the standby is behind",
  );
};

test("a lagging standby is not used; once promoted, it is used automatically, with all of its data", async ({
  gate,
  pair,
}) => {
  const early = startService({ DATABASE_URL: pair.standby.url });
  await early.prints(
    /Waiting for the database.*the database is a standby in recovery, which takes no writes/s,
  );
  assert.is(await early.stop(), 0);

  const url = await startService({ DATABASE_URL: gate.url }).url();
  await accept(url, anEvent());
  await untilCounted(url, 1);
  await caughtUp(pair);
  await ask(pair.standby.url, "select pg_wal_replay_pause()");
  await accept(url, anEvent());
  await untilCounted(url, 2);

  gate.leadTo(pair.standby.url);
  await gate.open();
  await untilNotReady(url, /^read-only: the database is a standby in recovery/);
  assert.is((await postEvents(url, [anEvent()])).status, 503);
  // Each is a different question, so that no cached answer matches.
  for (let top = 51; top <= 70; top++) {
    assert.is(await statusOf(url, `/accounts/acme/summary?top=${top}`), 503);
  }

  await ask(pair.standby.url, "select pg_wal_replay_resume()");
  await caughtUp(pair);
  await pair.primary.stop();
  await ask(pair.standby.url, "select pg_promote()");
  await untilReady(url);
  await untilCounted(url, 2);
  await untilAccepted(url);
  await untilCounted(url, 3);
});

/** The shortest lifetime of a connection. */
const LIFETIME_MS_MIN = 40_000;

test("a former primary is abandoned within seconds and not used again", async ({ gate, pair }) => {
  const { primary, standby } = pair;
  const service = startService({ DATABASE_URL: gate.url });
  const url = await service.url();
  await accept(url, anEvent());
  await untilCounted(url, 1);
  await caughtUp(pair);

  // The old primary keeps running, and so do its connections.
  gate.leadTo(standby.url);
  await ask(standby.url, "select pg_promote()");
  const promotedAt = performance.now();
  await until(
    async () => (await sessionsOn(primary.url)) === 0 && (await sessionsOn(standby.url)) !== 0,
    "it is still connected to the old primary",
  );
  const leftAfterMs = performance.now() - promotedAt;
  assert.ok(leftAfterMs < LIFETIME_MS_MIN / 2, `${leftAfterMs} ms`);
  await untilReady(url);
  await untilAccepted(url);
  await untilCounted(url, 2);

  const before = await ask(primary.url, "select count(*)::int from tidemark_queue.job");
  gate.leadTo(primary.url);
  await gate.open();
  await untilNotReady(url, /^replaced: the server is a former primary: it is on timeline 1/);
  assert.is((await postEvents(url, [anEvent()])).status, 503);
  assert.is(await statusOf(url, "/accounts/acme/summary?top=71"), 503);
  assert.is(await ask(primary.url, "select count(*)::int from tidemark_queue.job"), before);

  gate.leadTo(standby.url);
  await gate.open();
  await untilReady(url);
  await untilAccepted(url);
  await untilCounted(url, 3);
  assert.equal(await totalsOf(url), { login: 3 });
  assert.is(await service.stop(), 0);
});

test("a job whose events the promoted standby never received is not completed there, and no event is lost", async ({
  gate,
  pair: { primary, standby },
  way,
}) => {
  const url = await startService({ DATABASE_URL: gate.url, ROLES: "api,projector" }).url();
  const worker = startService({ DATABASE_URL: gate.url, ROLES: "worker" });
  await worker.prints(/Tidemark listens/);
  await accept(url, anEvent());
  await untilCounted(url, 1);

  await withClient(primary.url, (heads) =>
    withClient(primary.url, async (jobs) => {
      // The worker fetches the job, which reaches the standby; then it waits to append.
      await heads.query("begin; select from tidemark.log_heads for update");
      await accept(url, anEvent());
      const isTaken = "select count(*) = 1 from tidemark_queue.job where state = 'active'";
      await until(async () => (await ask(standby.url, isTaken)) === true, "it is not fetched");
      // It appends, which does not reach the standby; then it waits to acknowledge.
      await way.close();
      await jobs.query("begin; select from tidemark_queue.job where state = 'active' for update");
      await heads.query("rollback");
      const waits = `select count(*) > 0 from pg_stat_activity
        where wait_event_type = 'Lock' and query ilike '%completed%'`;
      await until(async () => (await ask(primary.url, waits)) === true, "it is not acknowledged");
      gate.leadTo(standby.url);
      await ask(standby.url, "select pg_promote()");
      await until(async () => (await sessionsOn(primary.url)) === 0, "it is still connected");
      await jobs.query("rollback");
    }),
  );
  await untilReady(url);
  await untilCounted(url, 2);
});

if (process.platform === "win32") {
  skipSuite("failover to a standby", "there is no cp to copy a server with its owners");
} else {
  test.run();
}
