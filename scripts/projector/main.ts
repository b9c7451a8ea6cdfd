import { Effect } from "effect";
import type pg from "pg";

import { makeGenerations } from "../../adapters/postgres/generations.ts";
import { openBuilderPool } from "../../adapters/postgres/pool.ts";
import { command, option, runCommands, wholeNumber } from "../../adapters/terminal/command_line.ts";
import { Generations } from "../../core/projection/generations.ts";
import { withMigrationDatabase } from "../../db/client.ts";
import { explainDatabaseError } from "../../db/errors.ts";
import { makeProgress } from "../shared/progress.ts";
import { runDrop } from "./drop.ts";
import { follow } from "./follow.ts";
import { runRebuild } from "./rebuild.ts";
import { statusText } from "./status.ts";
import { runVerify } from "./verify.ts";

const GENERATION_MAX = 2 ** 31 - 1;

const SHARDS_AT_ONCE = 2;

const shardsAtOnce = option.whole("Shards to work on at the same time", {
  min: 1,
  max: 64,
  default: SHARDS_AT_ONCE,
});

const progress = makeProgress(process.stderr);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const withGenerations = (
  shards: number,
  use: (generations: Generations["Service"], pool: pg.Pool) => Promise<number>,
): Promise<number> =>
  withMigrationDatabase(async (url) => {
    const pool = openBuilderPool(url, shards);
    try {
      return await use(makeGenerations(pool), pool);
    } finally {
      await pool.end();
    }
  });

process.exitCode = await runCommands({
  name: "npm run projector",
  about: "Rebuilds, checks and manages the generations of the read models.",
  byDefault: "rebuild",
  commands: {
    rebuild: command({
      about:
        "Builds all read models again from the log (the default), beside the live ones and while " +
        "reads and writes continue; compares both, and replaces the live ones. An interrupted " +
        "rebuild continues when it is run again",
      options: {
        acceptDifferences: option.flag("Replace live read models that differ from the log"),
        shardsAtOnce,
      },
      run: (options, _, signal) =>
        withGenerations(options.shardsAtOnce, (generations) =>
          Effect.runPromise(
            Effect.provideService(runRebuild({ ...options, progress }), Generations, generations),
            { signal },
          ),
        ),
    }),
    status: command({
      about: "Shows the generations, and the lag of each shard",
      options: { json: option.flag("Print JSON") },
      run: ({ json }, _, signal) =>
        withGenerations(SHARDS_AT_ONCE, async (generations) => {
          say(await Effect.runPromise(statusText(generations, json), { signal }));
          return 0;
        }),
    }),
    verify: command({
      about:
        "Counts the log again, and lists every row of the live read models that differs. Exits " +
        "with 1 if one does",
      options: { shardsAtOnce },
      run: (options, _, signal) =>
        withGenerations(options.shardsAtOnce, async (generations, pool) => {
          const listed = await Effect.runPromise(generations.list);
          const live = listed.find(({ state }) => state === "live");
          const lags = live === undefined ? [] : await Effect.runPromise(generations.lag(live));
          return runVerify({ ...options, pool, lags, progress, signal, say });
        }),
    }),
    drop: command({
      about: "Deletes these generations, or all that are not live, incomplete ones included",
      arguments: { "[N...]": "" },
      run: (_, texts) => {
        const numbers = texts.map((text) =>
          wholeNumber("The number of a generation", text, { min: 1, max: GENERATION_MAX }),
        );
        return withGenerations(SHARDS_AT_ONCE, (generations) => runDrop(generations, numbers, say));
      },
    }),
    follow: command({
      about:
        "Runs only the projector, with the settings of the environment (.env.example), until a " +
        "signal",
      run: follow,
    }),
  },
  notes:
    "The database is the one in MIGRATION_DATABASE_URL, else the one in DATABASE_URL, else the " +
    "embedded one under DATA_DIR (default .data).",
  onInterrupt: "stopping. Finished work is kept, and the next run continues from it.",
  explain: explainDatabaseError,
});
