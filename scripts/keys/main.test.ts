import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase } from "../test/database.ts";
import { createMigratedDatabase, type MigratedDatabase } from "../test/migrated_database.ts";
import { runModule } from "../test/run_program.ts";

const test = suite<{ migrated: MigratedDatabase }>("npm run keys");

test.before(async (context) => {
  context.migrated = await createMigratedDatabase();
});
test.after(({ migrated }) => migrated.close());

const run = (url: string, ...args: ReadonlyArray<string>) =>
  runModule(new URL("main.ts", import.meta.url), args, { DATABASE_URL: url });

const FORM = /^tm_([a-z0-9]{12})_[A-Za-z0-9_-]{43}\n$/;

const create = async (url: string, ...args: ReadonlyArray<string>): Promise<string> => {
  const { code, out, err } = await run(url, "create", ...args);
  assert.is(code, 0, err);
  const [, id = ""] = FORM.exec(out) ?? [];
  assert.ok(id, out);
  return id;
};

interface Listed {
  readonly id: string;
  readonly [field: string]: unknown;
}

const list = async (url: string): Promise<ReadonlyArray<Listed>> =>
  JSON.parse((await run(url, "list", "--json")).out) as Listed[];

test("a key is printed alone, once, and stored as a hash", async ({ migrated }) => {
  const { url, execute } = migrated;
  const { out, err } = await run(url, "create", "--scope", "write", "--account", "acme");
  const [, id = ""] = FORM.exec(out) ?? [];
  assert.match(err, /write for account acme/);
  const { rows } = await execute("select * from tidemark.api_keys where id = $1", [id]);
  const secret = out.trim().slice(-43);
  assert.not.match(JSON.stringify(rows), secret);
  const { out: listed } = await run(url, "list");
  assert.match(listed, new RegExp(`^${id} +write +active .* account acme`, "m"));
  assert.not.match(listed, secret);
});

test("only the first key comes with a warning that every request needs a key", async () => {
  const database = await createMigratedDatabase();
  const [first, second] = [
    await run(database.url, "create", "--scope", "write"),
    await run(database.url, "create", "--scope", "write"),
  ];
  await database.close();
  assert.match(first.err, "This is the first key: within 5 seconds every request needs a key.");
  assert.not.match(second.err, "first key");
});

test("a key is listed with its rights and limits", async ({ migrated }) => {
  const { url } = migrated;
  const settings = ["--name", "billing", "--requests-per-minute", "7", "--events-per-minute", "9"];
  const id = await create(url, "--scope", "write,read", "--account-prefix", "eu-", ...settings);
  const found = (await list(url)).find((key) => key.id === id);
  assert.equal(
    { ...found, created_at: "" },
    {
      id,
      name: "billing",
      scopes: ["write", "read"],
      account: null,
      account_prefix: "eu-",
      requests_per_minute: 7,
      events_per_minute: 9,
      created_at: "",
      revoked_at: null,
    },
  );
});

test("a key is revoked for good, and rotated with or without a grace period", async ({
  migrated,
}) => {
  const { url } = migrated;
  const state = async (id: string) => {
    const { out } = await run(url, "list");
    return new RegExp(`^${id} +\\S+ +(\\S+)`, "m").exec(out)?.[1];
  };
  const id = await create(url, "--scope", "admin");
  const rotated = await run(url, "rotate", id, "--grace-minutes", "10");
  assert.match(rotated.err, `Key ${id} stops working in 10 minutes.`);
  const [, next = ""] = FORM.exec(rotated.out) ?? [];
  assert.equal([await state(id), await state(next)], ["ending", "active"]);
  const again = await run(url, "rotate", next);
  assert.match(again.err, `Key ${next} stops working within 5 seconds.`);
  const [, last = ""] = FORM.exec(again.out) ?? [];
  assert.equal([await state(next), await state(last)], ["revoked", "active"]);
  assert.is((await run(url, "revoke", last)).code, 0);
  assert.is(await state(last), "revoked");
  const undone = await run(url, "rotate", last);
  assert.equal([undone.code, undone.out], [1, ""]);
  assert.match(undone.err, `Key ${last} is revoked`);
  // A rotation does not extend the end of a key.
  assert.is((await run(url, "rotate", id, "--grace-minutes", "60")).code, 0);
  assert.equal([await state(id)], ["ending"]);
  const { code, err } = await run(url, "revoke", "unknown");
  assert.is(code, 1);
  assert.match(err, "Key unknown does not exist.");
});

test("characters that are invisible or change the direction of text are escaped", async ({
  migrated,
}) => {
  const { url, execute } = migrated;
  const account = "acme\u202etxt\u2066\u200b\u3164";
  const escaped = String.raw`acme\u202etxt\u2066\u200b\u3164`;
  const created = await run(url, "create", "--scope", "read", "--account", account);
  const [, id = ""] = FORM.exec(created.out) ?? [];
  // This command refuses such a name, but another program can write it.
  await execute("update tidemark.api_keys set name = $1 where id = $2", [
    "a\u202e\u001b[2J\nb",
    id,
  ]);
  const listed = await run(url, "list");
  const json = await run(url, "list", "--json");
  const quota = await run(url, "quota", account, "5");
  await run(url, "quota", account, "off");
  for (const printed of [created.err, listed.out, json.out, quota.err]) {
    assert.ok(printed.includes(escaped), printed);
    assert.not.match(printed, /[^\P{C}\n]|\u3164/u);
  }
  assert.match(listed.out, String.raw`a\u202e\u001b[2J\u000ab`);
  const found = (JSON.parse(json.out) as Listed[]).find((key) => key.id === id);
  assert.is(found?.["account"], account);
});

test("a quota is set and removed", async ({ migrated }) => {
  const { url, execute } = migrated;
  const quotas = async () =>
    (await execute("select account_id, events_per_minute from tidemark.account_quotas", [])).rows;
  assert.is((await run(url, "quota", "acme", "600")).code, 0);
  assert.is((await run(url, "quota", "acme", "700")).code, 0);
  assert.equal(await quotas(), [{ account_id: "acme", events_per_minute: 700 }]);
  assert.is((await run(url, "quota", "acme", "off")).code, 0);
  assert.equal(await quotas(), []);
});

test("invalid arguments are refused with the usage", async ({ migrated }) => {
  for (const args of [
    [],
    ["mint"],
    ["create"],
    ["create", "--scope", "root"],
    ["create", "--scope", "read", "--account", "a", "--account-prefix", "b"],
    ["create", "--scope", "read", "--events-per-minute", "0"],
    ["create", "read"],
    ["create", "--scope", "read", "--account", ""],
    ["create", "--scope", "read", "--account", ".."],
    ["quota", ".", "5"],
    ["create", "--scope", "read", "--account-prefix", ""],
    ["create", "--scope", "read", "--account", "a\u0007b"],
    ["create", "--scope", "read", "--account", "a".repeat(256)],
    ["create", "--scope", "read", "--name", "a\u001b[2J"],
    ["quota", "a\nb", "5"],
    ["revoke"],
    ["quota", "acme"],
    ["quota", "acme", "-1"],
    ["--nonsense"],
  ]) {
    const { code, out, err } = await run(migrated.url, ...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(err, "Usage: npm run -s keys");
  }
  assert.is((await run(migrated.url, "--help")).code, 0);
});

test("an unreachable, unmigrated or misnamed database is reported in one sentence", async ({
  migrated,
}) => {
  assert.match(
    (await run("postgres://nobody:secret@127.0.0.1:1/none", "list")).err,
    /^The database cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1\n$/,
  );
  assert.match(
    (await run("localhost:secret", "list")).err,
    /^DATABASE_URL must be a URL such as postgres:\/\/user:password@host:5432\/database\n$/,
  );
  const noUser = Object.assign(new URL(migrated.url), { username: "nobody-here" }).href;
  assert.match((await run(noUser, "list")).err, /^The database cannot be reached: [^\n]+\n$/);
  const empty = await createTestDatabase();
  const { code, err } = await run(empty.url, "list");
  await empty.drop();
  assert.equal(
    [code, err],
    [
      1,
      "The database does not have the tables of this version yet: run npm run migrate, or npm start, which does so first\n",
    ],
  );
});

test.run();
