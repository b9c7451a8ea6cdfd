import { parseArgs } from "node:util";

import { startBoss } from "../../adapters/pg_boss/boss.ts";
import { makeDeadLetters } from "../../adapters/pg_boss/dead_letters.ts";
import { createPool, executorOf } from "../../adapters/postgres/pool.ts";
import type { DeadLetters } from "../../core/queue/dead_letters.ts";
import { QueueUnavailable } from "../../core/queue/queue.ts";
import { messageOf } from "../../db/errors.ts";
import { withDatabase } from "../../db/with_database.ts";
import { listDeadLetters, onEach, showDeadLetter } from "./commands.ts";

const USAGE = `Usage: npm run deadletters -- <command>

Accepted batches that could not be appended after every attempt. Each stays until somebody deals with it.

  list                    the oldest first (the default)
  show ID                 one, with its events as JSON
  redrive ID... | --all   put back into the queue, under the same job id; events that are in the log
                          already are recognised
  drop ID... | --all      forget for good, and their events with them

  --limit N               how many are listed (default 100)
  --json                  list as JSON
  --help                  show this text

The database is the one in DATABASE_URL or, when that is unset, the embedded one under DATA_DIR (default: .data).
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** A command on the dead letters; it answers with the exit code. */
type Command = (letters: DeadLetters["Service"]) => Promise<number>;

/** What was asked for, or why it makes no sense. */
const parse = (argv: string[]): Command | string => {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      limit: { type: "string", default: "100" },
    },
  });
  const [command = "list", ...ids] = positionals;
  const malformed = ids.find((id) => !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id));
  if (malformed !== undefined) return `${malformed} is no job id: it must be a UUID`;
  switch (command) {
    case "list":
      if (!/^[1-9][0-9]{0,6}$/.test(values.limit)) return "--limit must be a number from 1";
      return (letters) => listDeadLetters(letters, Number(values.limit), values.json);
    case "show": {
      const [id] = ids;
      if (id === undefined || ids.length > 1) return "show needs one ID";
      return (letters) => showDeadLetter(letters, id);
    }
    case "redrive":
    case "drop":
      if (values.all === ids.length > 0) return `${command} needs IDs, or --all`;
      return (letters) => onEach(letters, command, values.all ? "all" : ids);
    default:
      return `Unknown command: ${command}`;
  }
};

const run = (command: Command): Promise<number> =>
  withDatabase(async (url) => {
    const pool = createPool({
      url,
      connectionsMax: 2,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 60_000,
      // A query on it fails by itself.
      onIdleError: () => {},
    });
    const execute = executorOf(pool);
    try {
      const boss = await startBoss({ execute, supervise: false, onError: () => {} });
      try {
        return await command(makeDeadLetters(boss, execute));
      } finally {
        await boss.stop({ graceful: false });
      }
    } finally {
      await pool.end();
    }
  });

const main = async (argv: string[]): Promise<number> => {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const command = parse(argv);
    if (typeof command !== "string") return await run(command);
    process.stderr.write(`${command}\n\n${USAGE}`);
    return EXIT_USAGE;
  } catch (error) {
    process.stderr.write(`${messageOf(error instanceof QueueUnavailable ? error.cause : error)}\n`);
    return isUsageError(error) ? EXIT_USAGE : EXIT_FAILED;
  }
};

const isUsageError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");

process.exitCode = await main(process.argv.slice(2));
