import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { withClient } from "./client.ts";

interface Context {
  database: TestDatabase;
  /** The names of the roles in this test: all databases of a server share its roles. */
  owner: string;
  service: string;
}

const test = suite<Context>("the roles of docker-compose.yml");

const PASSWORDS = { owner_password: "it's", service_password: 'a"b' } as const;

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.owner = `owner_${randomUUID().replaceAll("-", "")}`;
  context.service = `service_${randomUUID().replaceAll("-", "")}`;
});
test.after.each(async ({ database, owner, service }) => {
  await database.drop();
  const server = process.env["TEST_DATABASE_URL"] ?? "";
  await withClient(server, (client) => client.query(`drop role ${owner}, ${service}`));
});

/** The file as psql sends it, which replaces variables with quoted values. */
const rolesSql = async ({ database, owner, service }: Context): Promise<string> => {
  const text = await readFile(new URL("roles.sql", import.meta.url), "utf8");
  return text
    .replaceAll(/^\\getenv .*$/gm, "")
    .replaceAll(
      /:'(\w+)'/g,
      (_, name: keyof typeof PASSWORDS) => `'${PASSWORDS[name].replaceAll("'", "''")}'`,
    )
    .replaceAll("tidemark_owner", owner)
    .replaceAll("tidemark_service", service)
    .replace("database tidemark ", `database ${new URL(database.url).pathname.slice(1)} `);
};

test("the owner migrates a new database, and the service gets the rights of a service and no others", async (context) => {
  const { database, owner, service } = context;
  const sql = await rolesSql(context);
  await withClient(database.url, (client) => client.query(sql));
  const as = (username: string, password: string): string =>
    Object.assign(new URL(database.url), { username, password: encodeURIComponent(password) }).href;
  const DATABASE_URL = as(service, PASSWORDS.service_password);
  const MIGRATION_DATABASE_URL = as(owner, PASSWORDS.owner_password);
  // It exits with 1 if the role has other rights as well.
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [new URL("main.ts", import.meta.url).pathname],
    { env: { ...process.env, DATABASE_URL, MIGRATION_DATABASE_URL } },
  );
  assert.match(stdout, `The role ${service} has the rights to run a service.`);
  assert.is(stderr, "");
  const { rows } = await withClient(DATABASE_URL, (client) =>
    client.query(
      "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = any($1)",
      [[owner, service]],
    ),
  );
  const none = { rolsuper: false, rolcreatedb: false, rolcreaterole: false };
  assert.equal(rows, [none, none]);
});

test.run();
