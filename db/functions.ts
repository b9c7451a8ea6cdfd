import type { ClientBase } from "pg";

import { functionFileOf, type SqlFile } from "./folder.ts";
import type { FileStatus, History } from "./history.ts";

/**
 * Compares the functions of this build with the versions that the database has had. A function is
 * applied again when its file has a new checksum. A checksum that the database had before its
 * current one means that this build is older than the one that migrated last.
 */
export const compareFunctions = (
  files: ReadonlyArray<SqlFile>,
  history: History["functions"],
): ReadonlyArray<FileStatus> => {
  const current = new Map(history.map((version) => [version.name, version]));
  const known = files.map(({ name, file, checksum }): FileStatus => {
    const version = current.get(name);
    current.delete(name);
    if (version === undefined) return { file, state: "pending" };
    const { appliedAt } = version;
    if (version.checksum === checksum) return { file, state: "applied", appliedAt };
    const isOlder = history.some((each) => each.name === name && each.checksum === checksum);
    return { file, state: isOlder ? "outdated_file" : "pending", appliedAt };
  });
  const missing = [...current.values()].map(({ name, appliedAt }): FileStatus => {
    return { file: functionFileOf(name), state: "missing_file", appliedAt };
  });
  return [...known, ...missing].toSorted((a, b) => (a.file < b.file ? -1 : 1));
};

/**
 * Checks that a file has made exactly the function of its name. `create or replace` with other
 * parameters leaves the old function in place beside the new one.
 *
 * @throws {Error} saying what to do
 */
export const checkFunction = async (client: ClientBase, { name }: SqlFile): Promise<void> => {
  const { rowCount } = await client.query(
    "select from pg_proc where pronamespace = 'tidemark'::regnamespace and proname = $1",
    [name],
  );
  if (rowCount === 1) return;
  throw new Error(
    `it must create exactly one function tidemark.${name}, and there are ${rowCount}. ` +
      "If its parameters changed, drop the old function in a migration",
  );
};
