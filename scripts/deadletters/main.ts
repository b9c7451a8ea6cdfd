import { startBoss } from "../../adapters/pg_boss/boss.ts";
import { makeDeadLetters } from "../../adapters/pg_boss/dead_letters.ts";
import { diagnose } from "../../adapters/postgres/errors.ts";
import { createPool, executorOf } from "../../adapters/postgres/pool.ts";
import {
  command,
  option,
  runCommands,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import type { DeadLetters } from "../../core/queue/dead_letters.ts";
import { withDatabase } from "../../db/client.ts";
import { explainDatabaseError } from "../../db/errors.ts";
import { dropAllIfConfirmed, listDeadLetters, onEach, showDeadLetter } from "./commands.ts";

const LIMIT_MAX = 9_999_999;

const assertIds = (ids: ReadonlyArray<string>): void => {
  const malformed = ids.find((id) => !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id));
  if (malformed === undefined) return;
  throw new UsageError(`The ID of a job is a UUID, not ${shown(malformed)}`);
};

/** @throws UsageError unless there are either IDs or `--all` */
const assertChosen = (all: boolean, ids: ReadonlyArray<string>): void => {
  if (all === ids.length > 0) throw new UsageError("Name the IDs, or use --all");
  assertIds(ids);
};

const withDeadLetters = (
  use: (letters: DeadLetters["Service"]) => Promise<number>,
): Promise<number> =>
  withDatabase(async (url) => {
    const pool = createPool({
      url,
      connectionsMax: 2,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 60_000,
      // The next query fails and reports it.
      onIdleError: () => {},
    });
    const execute = executorOf(pool);
    try {
      const boss = await startBoss({ execute, supervise: false, onError: () => {} });
      try {
        return await use(makeDeadLetters(boss, execute, diagnose));
      } finally {
        await boss.stop({ graceful: false });
      }
    } finally {
      await pool.end();
    }
  });

process.exitCode = await runCommands({
  name: "npm run deadletters",
  about:
    "Manages dead letters: accepted batches that could not be appended after all attempts. Each " +
    "is kept until it is redriven or dropped.",
  byDefault: "list",
  commands: {
    list: command({
      about: "Lists dead letters, oldest first (the default)",
      options: {
        limit: option.whole("Most dead letters to list", { min: 1, max: LIMIT_MAX, default: 100 }),
        json: option.flag("Print JSON"),
      },
      run: ({ limit, json }) => withDeadLetters((letters) => listDeadLetters(letters, limit, json)),
    }),
    show: command({
      about: "Shows one with its events, as JSON",
      arguments: { ID: "" },
      run: (_, [id]: readonly [string]) => {
        assertIds([id]);
        return withDeadLetters((letters) => showDeadLetter(letters, id));
      },
    }),
    redrive: command({
      about:
        "Puts dead letters back into the queue under the same job ids. Events that are already " +
        "in the log are not added again",
      arguments: { "[ID...]": "" },
      options: { all: option.flag("Redrive all") },
      run: ({ all }, ids) => {
        assertChosen(all, ids);
        return withDeadLetters((letters) => onEach(letters, "redrive", all ? "all" : ids));
      },
    }),
    drop: command({
      about: "Deletes dead letters and their events for good",
      arguments: { "[ID...]": "" },
      options: {
        all: option.flag("Drop all, after a confirmation"),
        yes: option.flag("Do not ask for confirmation; needed without a terminal"),
      },
      run: ({ all, yes }, ids) => {
        assertChosen(all, ids);
        if (!all || yes) {
          return withDeadLetters((letters) => onEach(letters, "drop", all ? "all" : ids));
        }
        if (process.stdin.isTTY) return withDeadLetters(dropAllIfConfirmed);
        throw new UsageError("drop --all needs --yes when there is no terminal to confirm on");
      },
    }),
  },
  notes:
    "The database is the one in DATABASE_URL, else the embedded one under DATA_DIR (default " +
    ".data).",
  explain: explainDatabaseError,
});
