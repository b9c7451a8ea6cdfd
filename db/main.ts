import { installQueues, QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { command, EXIT_FAILED, option, runCommands } from "../adapters/terminal/command_line.ts";
import { applicationRoleOf, grantApplicationRole } from "./application_role.ts";
import { createShards } from "./create_shards.ts";
import { explainDatabaseError } from "./explain.ts";
import { MIGRATIONS_DIRECTORY, versionLabel } from "./folder.ts";
import { migrate } from "./migrate.ts";
import { installQueueSchema } from "./queue_schema.ts";
import { queueSchemaStatus } from "./queue_schema_status.ts";
import { migrationStatus } from "./status.ts";
import { statusReport } from "./status_report.ts";
import { variable, withMigrationDatabase } from "./with_database.ts";

async function up(url: string, directory: string): Promise<number> {
  const serviceUrl = variable("DATABASE_URL");
  const role =
    serviceUrl === undefined || serviceUrl === url
      ? undefined
      : await applicationRoleOf(serviceUrl, url);
  const applied = await migrate(url, {
    directory,
    onApplied: ({ file, durationMs }) => console.log(`Applied ${file} in ${durationMs} ms.`),
  });
  const queue = await installQueueSchema(url, { installQueues });
  if (queue.from !== queue.to) {
    console.log(`The queue schema ${QUEUE_SCHEMA} is now at version ${queue.to}.`);
  }
  if (applied.length === 0 && queue.from === queue.to) {
    const last = (await migrationStatus(url, { directory })).at(-1);
    console.log(`Nothing to apply: the database is at ${versionLabel(last?.version ?? 0)}.`);
  }
  // The migrations of another folder do not create a log.
  if (directory !== MIGRATIONS_DIRECTORY) return 0;
  const shards = await createShards(url);
  if (shards !== undefined) console.log(`The log has ${shards} shards.`);
  return role === undefined ? 0 : grant(url, role);
}

/** @param administersKeys undefined leaves the right to administer keys as it is */
async function grant(url: string, role: string, administersKeys?: boolean): Promise<number> {
  const excess = await grantApplicationRole(url, role, { administersKeys });
  const keys = administersKeys === true ? " and to administer API keys" : "";
  console.log(`The role ${role} has the rights to run a service${keys}.`);
  if (excess.length === 0) return 0;
  console.error(`It has more rights than that: ${excess.join("; ")}.`);
  return EXIT_FAILED;
}

async function status(url: string, directory: string): Promise<number> {
  const { text, upToDate } = statusReport(
    await migrationStatus(url, { directory }),
    await queueSchemaStatus(url),
  );
  console.log(text);
  return upToDate ? 0 : EXIT_FAILED;
}

const directoryOption = option.text("DIR", "Folder of migrations (default db/migrations)");

process.exitCode = await runCommands({
  name: "npm run migrate",
  about: "Manages the schema of the database.",
  byDefault: "up",
  commands: {
    up: command({
      about:
        "Applies pending migrations, installs the queue schema, and creates the shards of a new log, as many as SHARDS says " +
        "(the default). If DATABASE_URL has another role than MIGRATION_DATABASE_URL, that role gets the rights to run a service",
      options: { directory: directoryOption },
      run: ({ directory = MIGRATIONS_DIRECTORY }) =>
        withMigrationDatabase((url) => up(url, directory), {
          create: (sentence) => console.error(sentence),
        }),
    }),
    status: command({
      about: "Shows applied and pending migrations. Exits with 1 if there is something to apply",
      options: { directory: directoryOption },
      run: ({ directory = MIGRATIONS_DIRECTORY }) =>
        withMigrationDatabase((url) => status(url, directory)),
    }),
    grant: command({
      about:
        "Gives a role the rights to run a service, and no others. Exits with 1 if it has more rights nevertheless",
      arguments: { ROLE: "" },
      options: {
        administerKeys: option.flag(
          "Also the right to run npm run keys. Without it the role can only read keys and quotas",
        ),
      },
      run: ({ administerKeys }, [role = ""]) =>
        withMigrationDatabase((url) => grant(url, role, administerKeys)),
    }),
  },
  notes:
    "The database is the one in MIGRATION_DATABASE_URL, else the one in DATABASE_URL, else the embedded one under DATA_DIR " +
    "(default .data).",
  explain: explainDatabaseError,
});
