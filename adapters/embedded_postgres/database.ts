import { Client } from "pg";

import { databaseName, databaseUser } from "./password_file.ts";

/** The connection string of a database of the embedded server. */
export function databaseUrl(port: number, password: string, database = databaseName): string {
  return `postgres://${databaseUser}:${password}@127.0.0.1:${port}/${database}`;
}

/**
 * Creates the service's database when the cluster is new. Asked at each start, so a crash between
 * initdb and here heals. To be called by the owner only: nobody else creates it meanwhile.
 */
export async function ensureDatabase(port: number, password: string): Promise<void> {
  await withClient(databaseUrl(port, password, "postgres"), async (client) => {
    const found = await client.query("select from pg_database where datname = $1", [databaseName]);
    if (found.rowCount === 0) await client.query(`create database ${databaseName}`);
  });
}

/** Rejects when the service's database does not answer. */
export async function knock(port: number, password: string): Promise<void> {
  await withClient(databaseUrl(port, password), async (client) => {
    await client.query("select 1");
  });
}

async function withClient(url: string, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url });
  // A server that dies meanwhile is reported here as well as by the rejected query, which suffices.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
