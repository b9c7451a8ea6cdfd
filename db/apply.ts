import { type ClientBase, DatabaseError } from "pg";

import { MigrationFailed } from "./errors.ts";
import type { MigrationFile } from "./folder.ts";
import { recordApplied } from "./history.ts";
import { lineAt } from "./line.ts";

/**
 * How long a statement of a file may wait for a table. DDL that waits behind a long transaction makes every later
 * reader wait behind it, so it must give up soon; a file that knows better says `SET LOCAL lock_timeout` itself.
 */
const STATEMENT_LOCK_WAIT_MS = 10_000;

/**
 * Runs one file and records it, both in one transaction, and returns how long it took in milliseconds.
 *
 * @throws {MigrationFailed} with the line where Postgres gives one; the transaction is rolled back
 */
export async function applyFile(client: ClientBase, file: MigrationFile): Promise<number> {
  const startedAt = performance.now();
  try {
    await client.query("BEGIN");
    await client.query(`SET LOCAL lock_timeout = ${STATEMENT_LOCK_WAIT_MS}`);
    const transaction = await transactionId(client);
    // Alone and unchanged, so that positions in the server's errors are positions in the file.
    await client.query(file.sql);
    if ((await transactionId(client)) !== transaction) {
      throw new Error(
        "it ends the runner's transaction: take COMMIT, ROLLBACK and BEGIN out of the file",
      );
    }
    const durationMs = Math.round(performance.now() - startedAt);
    await recordApplied(client, file, durationMs);
    await client.query("COMMIT");
    return durationMs;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw new MigrationFailed(file.file, failedLine(file.sql, error), error);
  }
}

async function transactionId(client: ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
  return rows[0]?.id;
}

function failedLine(sql: string, error: unknown): number | undefined {
  const position = error instanceof DatabaseError ? Number(error.position) : Number.NaN;
  return Number.isInteger(position) ? lineAt(sql, position) : undefined;
}
