import { lstat } from "node:fs/promises";
import { join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** Says that a data folder holds no database, to somebody who meant another folder or has not begun. */
export function databaseAbsent(dataDir: string): EmbeddedPostgresFailed {
  return new EmbeddedPostgresFailed(
    `There is no database in ${dataDir}: npm start makes a new one there, as does npm run migrate. ` +
      "If you have one, set DATA_DIR to its folder, or DATABASE_URL.",
  );
}

/**
 * Looks whether a data folder holds a database, or one is being made in it, without leaving a trace.
 *
 * @throws EmbeddedPostgresFailed when there can be none
 */
export async function assertDatabase(dataDir: string): Promise<void> {
  // While a database is made, its owner has written its pid.
  for (const name of ["postgres", "owner.pid"]) {
    if (!(await isMissing(join(dataDir, name)))) return;
  }
  throw databaseAbsent(dataDir);
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    // The caller reports any other obstacle when it goes on.
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}
