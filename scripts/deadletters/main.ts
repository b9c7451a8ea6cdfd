import { startBoss } from "../../adapters/pg_boss/boss.ts";
import { makeDeadLetters } from "../../adapters/pg_boss/dead_letters.ts";
import { diagnose } from "../../adapters/postgres/errors.ts";
import { createPool, executorOf } from "../../adapters/postgres/pool.ts";
import {
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import type { DeadLetters } from "../../core/queue/dead_letters.ts";
import { explainDatabaseError } from "../../db/explain.ts";
import { withDatabase } from "../../db/with_database.ts";
import { dropAllIfConfirmed, listDeadLetters, onEach, showDeadLetter } from "./commands.ts";

const USAGE = `Usage: npm run deadletters -- <command>

Accepted batches that could not be appended after every attempt. Each stays until somebody deals with it.

  list                    the oldest first (the default)
  show ID                 one, with its events as JSON
  redrive ID... | --all   put back into the queue, under the same job id; events that are in the log
                          already are recognised
  drop ID... | --all      forget for good, and their events with them; asks before it drops all

  --yes                   drop all without asking; without a terminal that is needed
  --limit N               how many are listed (default 100)
  --json                  list as JSON
  --help                  show this text

The database is the one in DATABASE_URL or, when that is unset, the embedded one under DATA_DIR (default: .data).
`;

const OPTIONS = {
  all: { type: "boolean", default: false },
  yes: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  limit: { type: "string", default: "100" },
} as const;

const LIMIT_MAX = 9_999_999;

/** A command on the dead letters; it answers with the exit code. */
type Command = (letters: DeadLetters["Service"]) => Promise<number>;

/** @throws UsageError when what was asked for makes no sense */
const commandOf = (
  values: OptionValues<typeof OPTIONS>,
  [command = "list", ...ids]: ReadonlyArray<string>,
): Command => {
  const malformed = ids.find((id) => !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id));
  switch (command) {
    case "list": {
      if (ids.length > 0) throw new UsageError("list takes no IDs; see show");
      const limit = wholeNumber("--limit", values.limit, { min: 1, max: LIMIT_MAX });
      return (letters) => listDeadLetters(letters, limit, values.json);
    }
    case "show": {
      const [id] = ids;
      if (id === undefined || ids.length > 1) throw new UsageError("show needs one ID");
      assertWellFormed(malformed);
      return (letters) => showDeadLetter(letters, id);
    }
    case "redrive":
    case "drop":
      if (values.all === ids.length > 0) throw new UsageError(`${command} needs IDs, or --all`);
      assertWellFormed(malformed);
      if (command === "drop" && values.all && !values.yes) {
        if (!process.stdin.isTTY) {
          throw new UsageError("drop --all needs --yes where there is no terminal to ask on");
        }
        return (letters) => dropAllIfConfirmed(letters);
      }
      return (letters) => onEach(letters, command, values.all ? "all" : ids);
    default:
      throw new UsageError(`There is no command ${shown(command)}`);
  }
};

const assertWellFormed = (malformed: string | undefined): void => {
  if (malformed !== undefined) {
    throw new UsageError(`${shown(malformed)} is no ID of a job: it must be a UUID`);
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
        return await command(makeDeadLetters(boss, execute, diagnose));
      } finally {
        await boss.stop({ graceful: false });
      }
    } finally {
      await pool.end();
    }
  });

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: (values, positionals) => run(commandOf(values, positionals)),
  explain: explainDatabaseError,
});
