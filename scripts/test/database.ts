import { randomUUID } from "node:crypto";

import { Client } from "pg";

/** A database of one test file's own. */
export interface TestDatabase {
  readonly url: string;
  /** Drops it, ending sessions that are still connected. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database with a unique name on the server that `TEST_DATABASE_URL` names.
 *
 * @param options of `create database`
 * @throws when the variable is unset: the test runner starts a server and sets it
 */
export async function createTestDatabase(options = ""): Promise<TestDatabase> {
  const server = process.env["TEST_DATABASE_URL"];
  if (server === undefined || server === "") {
    throw new Error(
      "TEST_DATABASE_URL is not set: run the tests with npm test, which starts a server",
    );
  }
  // template0, because template1 cannot be copied while anyone is connected to it.
  return createFrom(server, `template0 ${options}`);
}

/** Creates a database as a restored dump of another one would be, with all that is in it; nobody may be connected to that. */
export const copyTestDatabase = ({ url }: TestDatabase): Promise<TestDatabase> =>
  createFrom(url, new URL(url).pathname.slice(1));

const createFrom = async (server: string, template: string): Promise<TestDatabase> => {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(server);
  url.pathname = "/postgres";
  const maintenance = url.href;
  await run(maintenance, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => run(maintenance, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
};

/** A role of a test's own that can log in, and may nothing. */
export interface TestRole {
  readonly name: string;
  /** A database as this role. */
  readonly on: (database: TestDatabase) => string;
  /** Drops it; what it owns or was granted has to be gone with its database. */
  drop(): Promise<void>;
}

export async function createTestRole(): Promise<TestRole> {
  const server = process.env["TEST_DATABASE_URL"] ?? "";
  const name = `role_${randomUUID().replaceAll("-", "")}`;
  const password = randomUUID();
  await run(server, `CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  return {
    name,
    on: ({ url }) => Object.assign(new URL(url), { username: name, password }).href,
    drop: () => run(server, `DROP ROLE ${name}`),
  };
}

async function run(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
