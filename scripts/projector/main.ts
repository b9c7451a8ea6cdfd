import { Effect } from "effect";
import type pg from "pg";

import { openBuilderPool } from "../../adapters/postgres/builder_pool.ts";
import { makeGenerations } from "../../adapters/postgres/generations.ts";
import {
  EXIT_INTERRUPTED,
  noMore,
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { Generations } from "../../core/projection/generations.ts";
import { explainDatabaseError } from "../../db/explain.ts";
import { withMigrationDatabase } from "../../db/with_database.ts";
import { makeProgress } from "../terminal/progress.ts";
import { runDrop } from "./drop.ts";
import { follow } from "./follow.ts";
import { runRebuild } from "./rebuild.ts";
import { statusText } from "./status.ts";
import { runVerify } from "./verify.ts";

const USAGE = `Usage: npm run projector -- [COMMAND]

  rebuild           builds all read models anew from the log, beside the live ones and while reads and writes
                    go on, compares both, and puts the new ones in their place (the default). Interrupted
                    in any way, it goes on where it stopped when it is run again
    --accept-differences   also where the live ones say something else than the log
  status [--json]   the generations of the read models, and how far each is behind the log, shard by shard
  verify            recounts the log and lists every row of the live read models that differs; exits 1 if any
  drop [N...]       deletes generations that are not live: these, or all; also one that is only half built
  follow            runs the projector alone, with the settings of the environment (.env.example), until a signal

  --shards-at-once N   how many shards are worked on at the same time (default 2)
  --help               show this text

The database is the one in MIGRATION_DATABASE_URL or DATABASE_URL or, when neither is set, the embedded one under
DATA_DIR (default: .data).
`;

const OPTIONS = {
  "accept-differences": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  "shards-at-once": { type: "string", default: "2" },
} as const;

const SHARDS_AT_ONCE_MAX = 64;
const GENERATION_MAX = 2 ** 31 - 1;

interface Context {
  readonly pool: pg.Pool;
  readonly generations: Generations["Service"];
  readonly shardsAtOnce: number;
  readonly signal: AbortSignal;
}

/** A command on the database; it answers with the exit code. */
type Command = (context: Context) => Promise<number>;

const progress = makeProgress(process.stderr);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** @throws UsageError when what was asked for makes no sense */
const read = (values: OptionValues<typeof OPTIONS>, positionals: ReadonlyArray<string>) => {
  const [name = "rebuild", ...rest] = positionals;
  if (values.json && name !== "status") throw new UsageError("--json is for status");
  if (values["accept-differences"] && name !== "rebuild") {
    throw new UsageError("--accept-differences is for rebuild");
  }
  const command = commandOf(name, rest, values.json, values["accept-differences"]);
  if (name !== "drop") noMore(rest);
  const shardsAtOnce = wholeNumber("--shards-at-once", values["shards-at-once"], {
    min: 1,
    max: SHARDS_AT_ONCE_MAX,
  });
  return { shardsAtOnce, command };
};

const commandOf = (
  name: string,
  rest: ReadonlyArray<string>,
  json: boolean,
  acceptDifferences: boolean,
): Command | "follow" => {
  switch (name) {
    case "rebuild":
      return ({ generations, shardsAtOnce, signal }) =>
        Effect.runPromise(
          Effect.provideService(
            runRebuild({ acceptDifferences, shardsAtOnce, progress }),
            Generations,
            generations,
          ),
          { signal },
        );
    case "status":
      return async ({ generations, signal }) => {
        say(await Effect.runPromise(statusText(generations, json), { signal }));
        return 0;
      };
    case "verify":
      return async ({ pool, generations, shardsAtOnce, signal }) => {
        const listed = await Effect.runPromise(generations.list);
        const live = listed.find(({ state }) => state === "live");
        const lags = live === undefined ? [] : await Effect.runPromise(generations.lag(live));
        return runVerify({ pool, lags, shardsAtOnce, progress, signal, say });
      };
    case "drop": {
      const numbers = rest.map((text) =>
        wholeNumber("The number of a generation", text, { min: 1, max: GENERATION_MAX }),
      );
      return ({ generations }) => runDrop(generations, numbers, say);
    }
    case "follow":
      return "follow";
    default:
      throw new UsageError(`There is no command ${shown(name)}`);
  }
};

/** Aborts with the first signal; the second one does not wait. Nothing that is killed is lost. */
const interruption = (): AbortController => {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
      interrupt.abort();
      progress.print(
        `${signal}: stopping. What is built so far is kept, and goes on with the next run.`,
      );
    });
  }
  return interrupt;
};

const run = (command: Command, shardsAtOnce: number): Promise<number> =>
  withMigrationDatabase(async (url) => {
    const { signal } = interruption();
    const pool = openBuilderPool(url, shardsAtOnce);
    try {
      return await command({ pool, generations: makeGenerations(pool), shardsAtOnce, signal });
    } catch (error) {
      if (signal.aborted) return EXIT_INTERRUPTED;
      throw error;
    } finally {
      await pool.end();
    }
  });

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: (values, positionals) => {
    const { command, shardsAtOnce } = read(values, positionals);
    return command === "follow" ? follow() : run(command, shardsAtOnce);
  },
  explain: explainDatabaseError,
  printError: progress.print,
});
