import * as assert from "uvu/assert";

import { databaseOf } from "../adapters/postgres/pool.ts";
import { SESSION } from "../adapters/postgres/session.ts";
import { turnedSettings } from "../adapters/postgres/turned_settings.fixture.ts";
import { withClient } from "../db/client.ts";
import type { TestDatabase, TestRole } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { anEvent } from "./api_client.fixture.ts";
import { command } from "./command.fixture.ts";
import { startService } from "./service_process.fixture.ts";
import { serviceSuite } from "./service_suite.fixture.ts";

/** What `turnedSettings` leaves out, or does not change enough. */
const TURNED: Readonly<Record<string, string>> = {
  DateStyle: "SQL, DMY",
  IntervalStyle: "sql_standard",
  TimeZone: "Asia/Kathmandu",
  bytea_output: "escape",
  extra_float_digits: "-15",
  lc_monetary: "POSIX",
  lc_numeric: "POSIX",
  lc_time: "POSIX",
  xmloption: "document",
  backslash_quote: "off",
  search_path: "evil, pg_catalog",
  default_transaction_isolation: "serializable",
  idle_in_transaction_session_timeout: "1",
  idle_session_timeout: "1",
  lock_timeout: "1",
  statement_timeout: "1",
  transaction_timeout: "100",
  constraint_exclusion: "on",
  cpu_index_tuple_cost: "1000",
  cpu_operator_cost: "1000",
  cpu_tuple_cost: "1000",
  cursor_tuple_fraction: "1",
  from_collapse_limit: "1",
  join_collapse_limit: "1",
  plan_cache_mode: "force_custom_plan",
  random_page_cost: "1000",
  seq_page_cost: "0",
  jit: "on",
  jit_above_cost: "0",
  client_encoding: "LATIN1",
};

/** There is no other value. */
const NOT_TURNED = ["default_table_access_method"];

/** What both roles are set to. */
interface Turned {
  turnedTo: Readonly<Record<string, string>>;
}

const test = serviceSuite<Turned>("the session is the service's own", {
  before: (context) =>
    withClient(context.database.url, async (client) => {
      await client.query(`
        create schema evil;
        grant usage on schema evil to public;
        create function evil.now() returns timestamptz language sql as $$ select '-infinity'::timestamptz $$;
        create function evil.statement_timestamp() returns timestamptz language sql as $$ select null::timestamptz $$;
        create function evil.clock_timestamp() returns timestamptz language sql as $$ select null::timestamptz $$`);
      context.turnedTo = { ...(await turnedSettings(databaseOf(client))), ...TURNED };
      for (const [setting, value] of Object.entries(context.turnedTo)) {
        const list = value.includes(",") ? value : `'${value}'`;
        for (const { name } of [context.owner, context.role]) {
          await client.query(`alter role ${name} set ${setting} = ${list}`);
        }
      }
    }),
});

/** The database as a role, with a URL that changes some settings as well. */
const turned = (role: TestRole, database: TestDatabase): string => {
  const url = new URL(role.on(database));
  url.searchParams.set("options", "-c statement_timeout=1 -c enable_indexscan=off");
  url.searchParams.set("statement_timeout", "1");
  url.searchParams.set("lock_timeout", "1");
  return url.href;
};

test("this test changes every setting that the session sets", ({ turnedTo }) => {
  const forgotten = Object.entries(SESSION).filter(
    ([name, value]) => (turnedTo[name] ?? value) === value && !NOT_TURNED.includes(name),
  );
  assert.equal(forgotten, []);
});

test("roles with every setting changed affect neither migrations, service, keys nor a rebuild", async ({
  database,
  owner,
  role,
}) => {
  const DATABASE_URL = turned(role, database);
  const MIGRATION_DATABASE_URL = turned(owner, database);
  const settings = { DATABASE_URL, MIGRATION_DATABASE_URL };
  const migrated = await command("db/main.ts", settings);
  assert.is(migrated.code, 0, migrated.err);
  const service = startService(settings);
  const url = await service.url();
  const key = await command(
    "scripts/keys/main.ts",
    settings,
    "create",
    "--scope",
    "admin",
    "--name",
    "naïve \\ 'quoted'",
  );
  assert.is(key.code, 0, key.err);
  const headers = { Authorization: `Bearer ${key.out.trim()}`, "Content-Type": "application/json" };
  const get = async (path: string): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${url}${path}`, { headers });
    const text = await answer.text();
    assert.is(answer.status, 200, `${path}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  await until(async () => (await fetch(`${url}/accounts/sample`)).status === 401, "it is open");
  const before = Date.now();
  const sent = [
    anEvent({ account_id: "naïve \\ 'a", user_id: "Ünal \\x41" }),
    anEvent({ account_id: "naïve \\ 'a", user_id: "bob" }),
  ];
  const body = JSON.stringify({
    events: sent.map((event) => ({ ...event, metadata: { ratio: 0.1 + 0.2, path: "c:\\new" } })),
  });
  const posted = await fetch(`${url}/events`, { method: "POST", headers, body });
  assert.is(posted.status, 202, await posted.clone().text());
  const { jobId } = (await posted.json()) as { readonly jobId: string };
  const account = `/accounts/${encodeURIComponent("naïve \\ 'a")}`;
  type Summary = { readonly totals: Readonly<Record<string, number>>; readonly as_of: string };
  let summary = (await get(`${account}/summary`)) as unknown as Summary;
  await until(async () => {
    summary = (await get(`${account}/summary`)) as unknown as Summary;
    return summary.totals["login"] === 2;
  }, "they are not counted");
  assert.ok(Date.parse(summary.as_of) >= before, summary.as_of);
  type Page = { readonly events: ReadonlyArray<Record<string, unknown>> };
  const page = (await get(`${account}/events`)) as unknown as Page;
  const told = (event: Readonly<Record<string, unknown>>, metadata: unknown) =>
    JSON.stringify([event["user_id"], event["timestamp"], metadata]);
  assert.equal(
    page.events.map((event) => told(event, event["metadata"])).toSorted(),
    sent.map((event) => told({ ...event }, { ratio: 0.1 + 0.2, path: "c:\\new" })).toSorted(),
  );
  const series = await get(`${account}/timeseries`);
  assert.is(
    (series["points"] as Page["events"]).reduce(
      (sum, { totals }) => sum + ((totals as Record<string, number>)["login"] ?? 0),
      0,
    ),
    2,
  );
  const job = await get(`/jobs/${jobId}`);
  assert.equal([job["state"], job["appended"]], ["completed", 2]);
  assert.ok(Date.parse(String(job["queued_at"])) >= before - 1_000, String(job["queued_at"]));
  assert.equal((await get("/accounts/sample"))["account_ids"], ["naïve \\ 'a"]);
  const listed = await command("scripts/keys/main.ts", settings, "list", "--json");
  assert.is(listed.code, 0, listed.err);
  const [shown] = JSON.parse(listed.out) as readonly [{ name: string; created_at: string }];
  assert.is(shown.name, "naïve \\ 'quoted'");
  assert.ok(Math.abs(Date.parse(shown.created_at) - before) < 600_000, shown.created_at);
  for (const args of [[], ["verify"], ["drop"]]) {
    const rebuilt = await command("scripts/projector/main.ts", settings, ...args);
    assert.is(rebuilt.code, 0, `${args.join()}: ${rebuilt.out} ${rebuilt.err}`);
  }
  const letters = await command("scripts/deadletters/main.ts", { DATABASE_URL });
  assert.is(letters.code, 0, letters.err);
  assert.equal((await get("/readyz"))["status"], "ready");
  assert.is(await service.stop(), 0);
  assert.not.match(service.output(), /"level":"(warn|error)/i);
});

test.run();
