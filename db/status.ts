import type { ClientBase } from "pg";

import { withClient } from "./client.ts";
import { compare, type MigrationStatus } from "./compare.ts";
import { MIGRATIONS_DIRECTORY, readFolder } from "./folder.ts";
import { readHistory } from "./history.ts";

export type { MigrationStatus } from "./compare.ts";

/**
 * How each migration stands, in order. Takes no lock and writes nothing, so it may be asked at any time,
 * also of a database that was never migrated. `problemOf` turns the answer into the error that `migrate` would throw.
 *
 * @param database a connection string or a client
 * @throws {MigrationFolderInvalid} when the folder itself is wrong
 * @throws {DatabaseUnreachable} when there is no connection
 */
export async function migrationStatus(
  database: string | ClientBase,
  { directory = MIGRATIONS_DIRECTORY }: { readonly directory?: string } = {},
): Promise<MigrationStatus[]> {
  const files = await readFolder(directory);
  return withClient(database, async (client) => compare(files, await readHistory(client)));
}
