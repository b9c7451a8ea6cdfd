import * as assert from "uvu/assert";

import { until } from "../scripts/test/patience.ts";
import { anEvent } from "./api_client.fixture.ts";
import { command } from "./command.fixture.ts";
import { startService } from "./service_process.fixture.ts";
import { type ServiceContext, serviceSuite } from "./service_suite.fixture.ts";

const test = serviceSuite("a service whose role may not change the schema");

/** Sends events with a key that the owner created, and waits until they are counted. */
const useIt = async (url: string, settings: ServiceContext["settings"]): Promise<void> => {
  const key = await command("scripts/keys/main.ts", settings, "create", "--scope", "admin");
  assert.is(key.code, 0, key.err);
  const headers = { Authorization: `Bearer ${key.out.trim()}`, "Content-Type": "application/json" };
  const summary = async () => {
    const answer = await fetch(`${url}/accounts/acme/summary`, { headers });
    return (await answer.json()) as { readonly totals?: Readonly<Record<string, number>> };
  };
  // Until it knows of the key.
  await until(async () => (await fetch(`${url}/accounts/sample`)).status === 401, "it is open");
  const body = JSON.stringify({ events: [anEvent(), anEvent()] });
  const posted = await fetch(`${url}/events`, { method: "POST", headers, body });
  const { jobId } = (await posted.json()) as { readonly jobId: string };
  assert.is(posted.status, 202);
  await until(async () => (await summary()).totals?.["login"] === 2, "they are not counted");
  for (const path of [`/jobs/${jobId}`, "/accounts/acme/events", "/metrics", "/accounts/sample"]) {
    assert.is((await fetch(`${url}${path}`, { headers })).status, 200, path);
  }
  const changes = [
    ["quota", "acme", "600"],
    ["quota", "acme", "off"],
    ["rotate", key.out.slice(3, 15)],
  ];
  for (const args of changes) {
    assert.is((await command("scripts/keys/main.ts", settings, ...args)).code, 0);
  }
  const { DATABASE_URL } = settings;
  const letters = await command("scripts/deadletters/main.ts", { DATABASE_URL });
  assert.is(letters.code, 0, letters.err);
};

test("it migrates as the owner, and does all other work as its own role", async ({ settings }) => {
  const service = startService(settings);
  const url = await service.url();
  await useIt(url, settings);
  assert.is(await service.stop(), 0);
  assert.not.match(service.output(), /permission denied|supervision failed|has rights that/);
  // The next one has nothing to migrate.
  const next = startService(settings);
  await next.url();
  assert.is(await next.stop(), 0);
});

test("npm run migrate prepares everything", async ({ settings, role }) => {
  const migrated = await command("db/main.ts", { ...settings, SHARDS: "3" });
  assert.is(migrated.code, 0, migrated.err);
  assert.match(migrated.out, /^Created 3 shards\.$/m);
  assert.match(migrated.out, `The role ${role.name} has the rights to run a service.`);
  const { DATABASE_URL } = settings;
  const service = startService({ DATABASE_URL, MIGRATE_ON_START: "false", SHARDS: "3" });
  await useIt(await service.url(), settings);
  assert.is(await service.stop(), 0);
});

test("without its rights it says what to do, and once they are granted it starts", async (context) => {
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = context.settings;
  for (const MIGRATE_ON_START of ["true", "false"]) {
    const migrated = await command("db/main.ts", { DATABASE_URL: MIGRATION_DATABASE_URL });
    assert.is(migrated.code, 0, migrated.err);
    const refused = startService({ DATABASE_URL, MIGRATE_ON_START });
    assert.is(await refused.ended, 1);
    assert.match(refused.output(), /Permission denied .*npm run migrate -- grant ROLE/);
    assert.is(refused.output().trimEnd().split("\n").length, 1, refused.output());
  }
  const granted = await command(
    "db/main.ts",
    { DATABASE_URL: MIGRATION_DATABASE_URL },
    "grant",
    context.role.name,
  );
  assert.equal([granted.code, granted.err], [0, ""]);
  // With nothing to migrate it does not need the owner.
  const service = startService({ DATABASE_URL });
  await service.url();
  assert.is(await service.stop(), 0);
});

test("its role can only read keys unless it may administer them", async (context) => {
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = context.settings;
  const migrated = await command("db/main.ts", { DATABASE_URL, MIGRATION_DATABASE_URL });
  assert.is(migrated.code, 0, migrated.err);
  const create = () =>
    command("scripts/keys/main.ts", { DATABASE_URL }, "create", "--scope", "read");
  const listed = await command("scripts/keys/main.ts", { DATABASE_URL }, "list");
  assert.equal([listed.code, listed.out], [0, ""]);
  const refused = await create();
  assert.equal([refused.code, refused.out], [1, ""]);
  assert.match(
    refused.err,
    /^Permission denied for table api_keys\. .*npm run migrate -- grant ROLE --administer-keys\.\n$/,
  );
  const owner = { DATABASE_URL: MIGRATION_DATABASE_URL };
  const grant = ["grant", context.role.name];
  const granted = await command("db/main.ts", owner, ...grant, "--administer-keys");
  assert.equal([granted.code, granted.err], [0, ""]);
  assert.match(granted.out, "administer API keys");
  assert.is((await create()).code, 0);
  // A migration keeps that right; only another grant takes it back.
  await command("db/main.ts", { DATABASE_URL, MIGRATION_DATABASE_URL });
  assert.is((await create()).code, 0);
  assert.is((await command("db/main.ts", owner, ...grant)).code, 0);
  assert.is((await create()).code, 1);
  const misused = await command("db/main.ts", owner, "status", "--administer-keys");
  assert.equal(
    [misused.code, misused.err.split("\n")[0]],
    [2, "--administer-keys is not an option of status."],
  );
});

test("a wrong MIGRATION_DATABASE_URL is reported by name", async (context) => {
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = context.settings;
  const url = new URL(MIGRATION_DATABASE_URL);
  url.password = "wrong-secret";
  const refused = startService({ DATABASE_URL, MIGRATION_DATABASE_URL: url.href });
  assert.is(await refused.ended, 1);
  assert.match(refused.output(), /password authentication failed.* Check MIGRATION_DATABASE_URL\./);
  assert.not.match(refused.output(), "wrong-secret");
});

test.run();
