import { MigrationEdited, MigrationMissing, MigrationOutOfOrder } from "./errors.ts";
import { fileNameOf, type MigrationFile } from "./folder.ts";
import type { HistoryRow } from "./history.ts";

/** How one migration stands: in the folder, in the database, or in both. */
export interface MigrationStatus {
  readonly version: number;
  readonly name: string;
  readonly state: "applied" | "pending" | "edited" | "missing_file";
  readonly appliedAt?: Date;
}

/** Sets the folder beside the database's history, in order of version. */
export function compare(
  files: readonly MigrationFile[],
  history: readonly HistoryRow[],
): MigrationStatus[] {
  const fileOf = new Map(files.map((file) => [file.version, file]));
  const appliedVersions = new Set(history.map((row) => row.version));
  const applied = history.map((row): MigrationStatus => {
    const { version, name, appliedAt } = row;
    return { version, name, state: stateOf(row, fileOf.get(version)), appliedAt };
  });
  const pending = files
    .filter((file) => !appliedVersions.has(file.version))
    .map(({ version, name }): MigrationStatus => ({ version, name, state: "pending" }));
  return [...applied, ...pending].toSorted((a, b) => a.version - b.version);
}

function stateOf(row: HistoryRow, file: MigrationFile | undefined): MigrationStatus["state"] {
  if (file === undefined) {
    return "missing_file";
  }
  return file.checksum === row.checksum ? "applied" : "edited";
}

/** Why these migrations must not be run, or nothing if what is pending may be applied in order. */
export function problemOf(statuses: readonly MigrationStatus[]): Error | undefined {
  const lastApplied = statuses.findLast((status) => status.state !== "pending");
  for (const { version, name, state } of statuses) {
    const file = fileNameOf(version, name);
    if (state === "edited") {
      return new MigrationEdited(file);
    }
    if (state === "missing_file") {
      return new MigrationMissing(file);
    }
    if (state === "pending" && lastApplied !== undefined && version < lastApplied.version) {
      return new MigrationOutOfOrder(file, fileNameOf(lastApplied.version, lastApplied.name));
    }
  }
  return undefined;
}
