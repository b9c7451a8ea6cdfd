import { parseArgs } from "node:util";

import { installQueues, QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { messageOf } from "./errors.ts";
import { MIGRATIONS_DIRECTORY, versionLabel } from "./folder.ts";
import { migrate } from "./migrate.ts";
import { installQueueSchema } from "./queue_schema.ts";
import { queueSchemaStatus } from "./queue_schema_status.ts";
import { migrationStatus } from "./status.ts";
import { statusReport } from "./status_report.ts";
import { withDatabase } from "./with_database.ts";

const USAGE = `Usage: npm run migrate -- [up | status] [--directory DIR]

  up      apply the pending migrations and install the queue schema (the default)
  status  show what is applied and what is not; exits 1 unless everything is

  --directory DIR  the folder of migrations (default: db/migrations)
  --help           show this text

The database is the one in DATABASE_URL or, when that is unset, the embedded one under DATA_DIR (default: .data).`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

type Command = (url: string, directory: string) => Promise<number>;

const commands: ReadonlyMap<string, Command> = new Map([
  ["up", up],
  ["status", status],
]);

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  const request = parse(argv);
  if (typeof request === "string") {
    console.error(`${request}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (request.help) {
    console.log(USAGE);
    return 0;
  }
  try {
    return await withDatabase((url) => request.command(url, request.directory));
  } catch (error) {
    console.error(messageOf(error));
    return EXIT_FAILED;
  }
}

/** What was asked for, or why it makes no sense. */
function parse(argv: string[]): { command: Command; directory: string; help: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        directory: { type: "string", default: MIGRATIONS_DIRECTORY },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const command = commands.get(positionals[0] ?? "up");
    if (command === undefined || positionals.length > 1) {
      return `Unknown command: ${positionals.join(" ")}`;
    }
    return { command, ...values };
  } catch (error) {
    return messageOf(error);
  }
}

async function up(url: string, directory: string): Promise<number> {
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
  return 0;
}

async function status(url: string, directory: string): Promise<number> {
  const { text, upToDate } = statusReport(
    await migrationStatus(url, { directory }),
    await queueSchemaStatus(url),
  );
  console.log(text);
  return upToDate ? 0 : EXIT_FAILED;
}
