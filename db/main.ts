import { installQueues, QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import {
  EXIT_FAILED,
  runCommandLine,
  shown,
  UsageError,
} from "../adapters/terminal/command_line.ts";
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

const USAGE = `Usage: npm run migrate -- [up | status | grant ROLE [--administer-keys]] [--directory DIR]

  up          apply the pending migrations, install the queue schema and create the shards of a new log, as many as
              SHARDS says (the default); where DATABASE_URL is of another role than MIGRATION_DATABASE_URL, grant to it
  status      show what is applied and what is not; exits 1 unless everything is
  grant ROLE  let a role do all that a service does, and nothing else; exits 1 if it may do more all the same

  --administer-keys  let the role run npm run keys, too: write API keys and quotas (without it: only read them)
  --directory DIR    the folder of migrations (default: db/migrations)
  --help             show this text

The database is the one in MIGRATION_DATABASE_URL or else in DATABASE_URL or, when both are unset, the embedded one
under DATA_DIR (default: .data).
`;

interface Options {
  readonly directory: string;
  readonly administersKeys: boolean;
}

type Command = (url: string, options: Options) => Promise<number>;

/** Each command, given its arguments; undefined where these are not as many as it takes. */
const commands: ReadonlyMap<string, (args: string[]) => Command | undefined> = new Map([
  ["up", (args) => (args.length === 0 ? up : undefined)],
  ["status", (args) => (args.length === 0 ? status : undefined)],
  [
    "grant",
    ([role, ...rest]) =>
      role && rest.length === 0
        ? (url, { administersKeys }) => grant(url, role, administersKeys)
        : undefined,
  ],
]);

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: {
    directory: { type: "string", default: MIGRATIONS_DIRECTORY },
    "administer-keys": { type: "boolean", default: false },
  },
  run: ({ directory, "administer-keys": administersKeys }, [name = "up", ...args]) => {
    const make = commands.get(name);
    if (make === undefined) throw new UsageError(`There is no command ${shown(name)}`);
    const command = make(args);
    if (command === undefined) {
      throw new UsageError(`${name} takes ${name === "grant" ? "one role" : "no arguments"}`);
    }
    if (administersKeys && name !== "grant") {
      throw new UsageError("--administer-keys goes with grant ROLE");
    }
    return withMigrationDatabase(
      (url) => command(url, { directory, administersKeys }),
      command === up ? { create: (sentence) => console.error(sentence) } : {},
    );
  },
  explain: explainDatabaseError,
});

async function up(url: string, { directory }: Options): Promise<number> {
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
  // Another folder is of another database: there is no log in it.
  if (directory !== MIGRATIONS_DIRECTORY) return 0;
  const shards = await createShards(url);
  if (shards !== undefined) console.log(`The log has ${shards} shards.`);
  return role === undefined ? 0 : grant(url, role);
}

async function grant(url: string, role: string, administersKeys?: boolean): Promise<number> {
  const excess = await grantApplicationRole(url, role, { administersKeys });
  const keys = administersKeys === true ? ", and administer API keys" : "";
  console.log(`The role ${role} may do what a service does${keys}.`);
  if (excess.length === 0) return 0;
  console.error(`It may do more than that: ${excess.join("; ")}.`);
  return EXIT_FAILED;
}

async function status(url: string, { directory }: Options): Promise<number> {
  const { text, upToDate } = statusReport(
    await migrationStatus(url, { directory }),
    await queueSchemaStatus(url),
  );
  console.log(text);
  return upToDate ? 0 : EXIT_FAILED;
}
