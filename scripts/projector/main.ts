import { parseArgs } from "node:util";

import { Effect } from "effect";
import type pg from "pg";

import { openBuilderPool } from "../../adapters/postgres/builder_pool.ts";
import { makeGenerations } from "../../adapters/postgres/generations.ts";
import { Generations } from "../../core/projection/generations.ts";
import { withMigrationDatabase } from "../../db/with_database.ts";
import { makeProgress } from "../terminal/progress.ts";
import { runDrop } from "./drop.ts";
import { explain } from "./explain.ts";
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

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const SHARDS_AT_ONCE_MAX = 64;

/** Why the arguments make no sense. */
class UsageError extends Error {}

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

const wholeNumber = (name: string, text: string, max: number): number => {
  if (/^[1-9][0-9]*$/.test(text) && Number(text) <= max) return Number(text);
  throw new UsageError(`${name} must be a whole number from 1 to ${max}`);
};

const parse = (argv: string[]) => {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      "accept-differences": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      "shards-at-once": { type: "string", default: "2" },
    },
  });
  const [name = "rebuild", ...rest] = positionals;
  if (values.json && name !== "status") throw new UsageError("--json is for status");
  if (values["accept-differences"] && name !== "rebuild") {
    throw new UsageError("--accept-differences is for rebuild");
  }
  if (rest.length > 0 && name !== "drop") throw new UsageError(`${name} takes no arguments`);
  return {
    shardsAtOnce: wholeNumber("--shards-at-once", values["shards-at-once"], SHARDS_AT_ONCE_MAX),
    command: commandOf(name, rest, values.json, values["accept-differences"]),
  };
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
      const numbers = rest.map((text) => wholeNumber("a generation", text, 2 ** 31 - 1));
      return ({ generations }) => runDrop(generations, numbers, say);
    }
    case "follow":
      return "follow";
    default:
      throw new UsageError(`Unknown command: ${name}`);
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

const main = async (argv: string[]): Promise<number> => {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const { command, shardsAtOnce } = parse(argv);
    return await (command === "follow" ? follow() : run(command, shardsAtOnce));
  } catch (error) {
    const misused = error instanceof UsageError || isParseError(error);
    progress.print(`${explain(error)}${misused ? `\n\n${USAGE.trimEnd()}` : ""}`);
    return misused ? EXIT_USAGE : EXIT_FAILED;
  }
};

const isParseError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");

process.exitCode = await main(process.argv.slice(2));
