import { problemOf } from "./compare.ts";
import { messageOf } from "./errors.ts";
import { versionLabel } from "./folder.ts";
import type { QueueSchemaStatus } from "./queue_schema_status.ts";
import type { MigrationStatus } from "./status.ts";

/** What `npm run migrate -- status` prints, and whether there is nothing left to do or mend. */
export interface StatusReport {
  readonly text: string;
  readonly upToDate: boolean;
}

/** Lays out the state of the migrations and of the queue schema for a terminal. */
export function statusReport(
  migrations: readonly MigrationStatus[],
  queue: QueueSchemaStatus,
): StatusReport {
  const nameWidth = Math.max(4, ...migrations.map(({ name }) => name.length));
  const rowOf = (version: string, name: string, state: string, appliedAt: string): string =>
    `${version.padEnd(7)}  ${name.padEnd(nameWidth)}  ${state.padEnd(12)}  ${appliedAt}`.trimEnd();
  const rows = migrations.map(({ version, name, state, appliedAt }) =>
    rowOf(versionLabel(version), name, state, appliedAt?.toISOString() ?? ""),
  );
  const problem = problemOf(migrations);
  const queueReady = queue.installed === queue.wanted && queue.unfinishedBuilds === 0;
  return {
    text: [
      rowOf("VERSION", "NAME", "STATE", "APPLIED AT"),
      ...rows,
      "",
      queueLine(queue),
      ...(problem === undefined ? [] : ["", messageOf(problem)]),
    ].join("\n"),
    upToDate: queueReady && migrations.every(({ state }) => state === "applied"),
  };
}

function queueLine({ schema, installed, wanted, unfinishedBuilds }: QueueSchemaStatus): string {
  const has = installed === null ? "not installed" : `at version ${installed}`;
  const builds = unfinishedBuilds === 0 ? "" : `, ${unfinishedBuilds} index builds unfinished`;
  return `Queue schema ${schema}: ${has}, this build wants ${wanted}${builds}.`;
}
