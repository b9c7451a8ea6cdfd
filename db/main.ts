import { installQueues, QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { command, EXIT_FAILED, option, runCommands } from "../adapters/terminal/command_line.ts";
import { messageOf } from "../core/printable.ts";
import { applicationRoleOf, grantApplicationRole } from "./application_role.ts";
import { variable, withMigrationDatabase } from "./client.ts";
import { explainDatabaseError } from "./errors.ts";
import { DATABASE_FOLDER } from "./folder.ts";
import type { FileStatus } from "./history.ts";
import { createShards, migrate, numbered, pendingOf, problemOf, schemaStatus } from "./migrate.ts";
import { installQueueSchema, type QueueSchemaStatus, queueSchemaStatus } from "./queue_schema.ts";

const up = async (url: string, directory: string): Promise<number> => {
  const serviceUrl = variable("DATABASE_URL");
  const role =
    serviceUrl === undefined || serviceUrl === url
      ? undefined
      : await applicationRoleOf(serviceUrl, url);
  const applied = await migrate(url, {
    directory,
    onApplied: ({ file, durationMs }) => console.log(`  ${file} (${durationMs} ms)`),
  });
  const functions = applied.filter(({ file }) => file.startsWith("functions/")).length;
  if (applied.length > 0) {
    console.log(`Applied ${numbered(applied.length - functions, functions)}.`);
  }
  const queue = await installQueueSchema(url, { installQueues });
  if (queue.from === null) console.log(`Installed queue schema version ${queue.to}.`);
  else if (queue.from !== queue.to) {
    console.log(`Upgraded the queue schema from version ${queue.from} to ${queue.to}.`);
  }
  if (applied.length === 0 && queue.from === queue.to) console.log("Up to date.");
  // The migrations of another folder do not create a log.
  if (directory !== DATABASE_FOLDER) return 0;
  const log = await createShards(url);
  if (log.isNew) console.log(`Created ${log.shards} shards.`);
  return role === undefined ? 0 : grant(url, role);
};

const status = async (url: string, directory: string): Promise<number> => {
  const schema = await schemaStatus(url, { directory });
  const queue = await queueSchemaStatus(url);
  const problem = problemOf(schema);
  const lines = [
    ...tableOf([...schema.migrations, ...schema.functions]),
    "",
    queueLine(queue),
    ...(problem === undefined ? [] : ["", messageOf(problem)]),
  ];
  console.log(lines.join("\n"));
  const isUpToDate = problem === undefined && pendingOf(schema) === undefined && isReady(queue);
  return isUpToDate ? 0 : EXIT_FAILED;
};

const tableOf = (files: ReadonlyArray<FileStatus>): ReadonlyArray<string> => {
  const width = Math.max(4, ...files.map(({ file }) => file.length));
  const row = (file: string, state: string, appliedAt: string): string =>
    `${file.padEnd(width)}  ${state.padEnd(13)}  ${appliedAt}`.trimEnd();
  return [
    row("FILE", "STATE", "APPLIED AT"),
    ...files.map(({ file, state, appliedAt }) => row(file, state, appliedAt?.toISOString() ?? "")),
  ];
};

const isReady = ({ installed, wanted, unfinishedBuilds }: QueueSchemaStatus): boolean =>
  installed === wanted && unfinishedBuilds === 0;

const queueLine = ({ installed, wanted, unfinishedBuilds }: QueueSchemaStatus): string => {
  const has = installed === null ? "not installed" : `version ${installed}`;
  const builds = unfinishedBuilds === 0 ? "" : `; ${unfinishedBuilds} index builds are unfinished`;
  return `Queue schema ${QUEUE_SCHEMA}: ${has}; this build needs version ${wanted}${builds}.`;
};

/** @param administersKeys undefined leaves the right to administer keys as it is */
const grant = async (url: string, role: string, administersKeys?: boolean): Promise<number> => {
  const excess = await grantApplicationRole(url, role, { administersKeys });
  const keys = administersKeys === true ? " and to administer API keys" : "";
  console.log(`The role ${role} has the rights to run a service${keys}.`);
  if (excess.length === 0) return 0;
  console.error(`It has more rights than that: ${excess.join("; ")}.`);
  return EXIT_FAILED;
};

const directoryOption = option.text("DIR", "Folder with migrations/ and functions/ (default db)");

process.exitCode = await runCommands({
  name: "npm run migrate",
  about: "Manages the schema of the database.",
  byDefault: "up",
  commands: {
    up: command({
      about:
        "Applies pending migrations and changed functions, installs the queue schema, and " +
        "creates the shards of a new log, as many as SHARDS says (the default). If DATABASE_URL " +
        "has another role than MIGRATION_DATABASE_URL, that role gets the rights to run a service",
      options: { directory: directoryOption },
      run: ({ directory = DATABASE_FOLDER }) =>
        withMigrationDatabase((url) => up(url, directory), {
          create: (sentence) => console.error(sentence),
        }),
    }),
    status: command({
      about:
        "Shows applied and pending migrations and functions. Exits with 1 if there is something " +
        "to apply",
      options: { directory: directoryOption },
      run: ({ directory = DATABASE_FOLDER }) =>
        withMigrationDatabase((url) => status(url, directory)),
    }),
    grant: command({
      about:
        "Gives a role the rights to run a service, and no others. Exits with 1 if it has more " +
        "rights nevertheless",
      arguments: { ROLE: "" },
      options: {
        administerKeys: option.flag(
          "Also the right to run npm run keys. Without it the role can only read keys and quotas",
        ),
      },
      run: ({ administerKeys }, [role]: readonly [string]) =>
        withMigrationDatabase((url) => grant(url, role, administerKeys)),
    }),
  },
  notes:
    "The database is the one in MIGRATION_DATABASE_URL, else the one in DATABASE_URL, else the " +
    "embedded one under DATA_DIR (default .data).",
  explain: explainDatabaseError,
});
