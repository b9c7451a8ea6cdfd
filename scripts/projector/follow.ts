import { fileURLToPath } from "node:url";

import { variable, withDatabase } from "../../db/client.ts";
import { NOT_MIGRATED } from "../../db/errors.ts";
import { pendingOf, schemaStatus } from "../../db/migrate.ts";

const SERVICE = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/**
 * Replaces this process with the service in the role of the projector, with the settings of the
 * environment. Signals and the exit code need no forwarding, because it is the same process.
 * Without PORT it listens on a free port, so that it can run beside a service on the same machine.
 *
 * @throws on Windows and in Node before 22.15, which cannot replace a process
 * @throws if the database is not migrated: the service would wait for the migration
 */
export const follow = async (): Promise<never> => {
  if (process.execve === undefined) {
    throw new Error("follow does not work on this platform. Use npm start with ROLES=projector.");
  }
  if (variable("MIGRATE_ON_START") === "false") await assertMigrated();
  const env = { PORT: "0", ...process.env, ROLES: "projector" };
  return process.execve(process.execPath, [process.execPath, SERVICE], env);
};

const assertMigrated = (): Promise<void> =>
  withDatabase(async (url) => {
    // The service itself waits for an unavailable database, and logs that.
    const status = await schemaStatus(url).catch(() => undefined);
    if (status !== undefined && pendingOf(status) !== undefined) throw new Error(NOT_MIGRATED);
  });
