import { fileURLToPath } from "node:url";

import { NOT_MIGRATED } from "../../db/explain.ts";
import { migrationStatus } from "../../db/status.ts";
import { variable, withDatabase } from "../../db/with_database.ts";

const SERVICE = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/**
 * Becomes the service with the projector role alone, on the configuration of the environment: the same
 * process, so that signals reach it and its exit code is seen, however this one was started. Unless PORT
 * is set its health can be asked for on a free port: beside a service on the same machine the usual one
 * is taken.
 *
 * @throws where a process cannot become another program: on Windows, and in Node before 22.15
 * @throws before the database is migrated, where the service would wait for somebody to migrate it
 */
export const follow = async (): Promise<never> => {
  if (process.execve === undefined) {
    throw new Error("follow does not work here. It is the same as npm start with ROLES=projector");
  }
  if (variable("MIGRATE_ON_START") === "false") await assertMigrated();
  const env = { PORT: "0", ...process.env, ROLES: "projector" };
  return process.execve(process.execPath, [process.execPath, SERVICE], env);
};

const assertMigrated = (): Promise<void> =>
  withDatabase(async (url) => {
    // A database that is away is what the service waits for, and says so.
    const statuses = await migrationStatus(url).catch(() => []);
    if (statuses.some(({ state }) => state === "pending")) throw new Error(NOT_MIGRATED);
  });
