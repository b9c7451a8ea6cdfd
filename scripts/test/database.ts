import { randomUUID } from "node:crypto";

import { Client } from "pg";

/** A database of one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Drops it, ending sessions that are still connected. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database on the server in `TEST_DATABASE_URL`, which the test runner starts.
 *
 * @param options of `create database`
 */
export async function createTestDatabase(options = ""): Promise<TestDatabase> {
  const server = process.env["TEST_DATABASE_URL"];
  if (server === undefined || server === "") {
    throw new Error(
      "TEST_DATABASE_URL is not set. Run the tests with npm test, which starts a server.",
    );
  }
  // template1 cannot be copied while anything is connected to it.
  return createFrom(server, `template0 ${options}`);
}

/** Copies a database with its contents, like a restored dump. Nothing may be connected to it. */
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

/** A role of one test, which can log in and has no rights. */
export interface TestRole {
  readonly name: string;
  /** The URL of a database as this role. */
  readonly on: (database: TestDatabase) => string;
  /** Drops it. The databases with its objects and grants must be dropped before. */
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
