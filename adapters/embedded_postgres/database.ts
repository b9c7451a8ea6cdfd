import { realpath } from "node:fs/promises";
import { join } from "node:path";

import { Client } from "pg";

import { DATABASE_USER, readPassword } from "./initdb.ts";
import { isAlive, readPostmasterPid } from "./postmaster.ts";

/** The database that the service uses. */
const DATABASE_NAME = "tidemark";

/** The connection string of a database of the embedded server. */
export const databaseUrl = (port: number, password: string, database = DATABASE_NAME): string =>
  `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${database}`;

/**
 * Creates the service's database in a new cluster. It is checked at each start, so a crash after
 * initdb does no harm. Only the owner calls this, so no other process does at the same time.
 */
export const ensureDatabase = (port: number, password: string): Promise<void> =>
  withClient(databaseUrl(port, password, "postgres"), async (client) => {
    const found = await client.query("select from pg_database where datname = $1", [DATABASE_NAME]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE_NAME}`);
  });

/** Where the running server of a data folder can be reached. */
export interface Running {
  readonly url: string;
  readonly pid: number;
}

/**
 * Finds the server that another process runs on the data folder. Returns `undefined` while none
 * answers: it may be starting, stopping, or about to create the service's database.
 */
export const findRunning = async (dataDir: string): Promise<Running | undefined> => {
  const clusterDir = await realpath(join(dataDir, "postgres")).catch(() => undefined);
  if (clusterDir === undefined) return undefined;
  const record = await readPostmasterPid(clusterDir);
  if (record === undefined || record === "garbled") return undefined;
  const { pid, port, ready } = record;
  if (!ready || port === undefined || !isAlive(pid)) return undefined;
  const url = databaseUrl(port, await readPassword(clusterDir));
  // Any failure may pass (the server may be shutting down); the caller retries until it gives up.
  return withClient(url, (client) => client.query("select 1")).then(
    () => ({ url, pid }),
    () => undefined,
  );
};

const withClient = async (
  url: string,
  use: (client: Client) => Promise<unknown>,
): Promise<void> => {
  const client = new Client({ connectionString: url });
  // When the server dies, the rejected query reports it; the event adds nothing.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
};
