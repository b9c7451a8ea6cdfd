import type { Client, ClientBase } from "pg";

import { settingsOnConnect, withSession } from "../adapters/postgres/session.ts";
import { SessionClient } from "../adapters/postgres/session_client.ts";
import { DatabaseUnreachable } from "./errors.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** Seen in `pg_stat_activity`, so that a waiting runner can say who it waits for. */
const APPLICATION_NAME = "tidemark-migrate";

/**
 * Runs `use` on one dedicated connection: a new one for a connection string, closed afterwards, or the caller's
 * own client, left open. A caller's client must not be in a transaction. The session of a new one is ours (`SESSION`), whatever the
 * role, the database or the connection string say.
 *
 * @throws {DatabaseUnreachable} when there is no connection within 10 s
 * @throws what `use` throws
 */
export async function withClient<A>(
  database: string | ClientBase,
  use: (client: ClientBase) => Promise<A>,
): Promise<A> {
  if (typeof database !== "string") {
    return use(database);
  }
  const client = await connect(database);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function connect(connectionString: string): Promise<Client> {
  let client: SessionClient | undefined;
  try {
    client = new SessionClient({
      connectionString: withSession(connectionString),
      application_name: APPLICATION_NAME,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // A connection that drops also rejects the query in flight; without a listener the event would end the process.
    client.on("error", () => {});
    await client.connect();
    const settings = settingsOnConnect(client.reported("server_version"));
    if (settings !== undefined) await client.query(settings);
    return client;
  } catch (cause) {
    // Where the client gave up and not the server, the socket would stay, and the process with it.
    await client?.end().catch(() => {});
    throw new DatabaseUnreachable(cause);
  }
}
