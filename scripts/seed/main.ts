import { EXIT_INTERRUPTED, runCommandLine } from "../../adapters/terminal/command_line.ts";
import { explainDatabaseError } from "../../db/explain.ts";
import { withDatabase } from "../../db/with_database.ts";
import { WHALE } from "../ingest/activity.ts";
import { makeProgress } from "../terminal/progress.ts";
import { count, elapsed, progressLine } from "../terminal/progress_line.ts";
import { serviceUrl } from "../terminal/service_url.ts";
import { describeOptions, OPTIONS, readOptions, type SeedOptions, USAGE } from "./options.ts";
import { shardsOf } from "./prepare_database.ts";
import { runSeed, type SeedState } from "./run_seed.ts";

/** How often a line is printed where it cannot change in place. */
const PLAIN_EVERY_MS = 5_000;
const SHOW_EVERY_MS = 100;

const seed = async (options: SeedOptions): Promise<number> => {
  const shards = shardsOf(process.env["SHARDS"]);
  const progress = makeProgress(process.stdout, PLAIN_EVERY_MS);
  const interrupt = interruptOnSignal(progress.print);
  const total = options.events + options.whale;
  // From the first event to the last count: to start, migrate and stop a database is not its rate.
  let started: number | undefined;
  let ended: number | undefined;
  const elapsedMs = (): number => {
    const now = ended ?? performance.now();
    return now - (started ?? now);
  };
  let state: SeedState = { tally: { appended: 0, duplicates: 0, conflicts: 0 }, lag: 0 };
  const report = (): void => {
    const { appended, duplicates, conflicts } = state.tally;
    const seconds = elapsedMs() / 1_000;
    progress.print(
      `${count(appended)} appended, ${count(duplicates)} duplicates` +
        `${conflicts === 0 ? "" : `, ${count(conflicts)} conflicts`} of ${count(total)} events in ` +
        `${elapsed(seconds)}: ${count(seconds === 0 ? 0 : eventsIn(state) / seconds)} events/s`,
    );
  };
  const show = setInterval(() => {
    if (started === undefined) progress.show("Opening the database");
    else if (ended !== undefined) progress.show("Closing the database");
    else progress.show(line(state, total, elapsedMs(), interrupt.aborted));
  }, SHOW_EVERY_MS);
  progress.print(`${describeOptions(options)}; --seed ${options.seed}`);
  try {
    await withDatabase(
      async (url) => {
        const onState = (next: SeedState): void => {
          started ??= performance.now();
          state = next;
        };
        await runSeed({ url, shards, options, signal: interrupt, onState });
        ended = performance.now();
      },
      { create: progress.print },
    );
  } catch (error) {
    if (started !== undefined) {
      report();
      progress.print(AGAIN);
    }
    throw error;
  } finally {
    clearInterval(show);
  }
  report();
  if (interrupt.aborted) {
    progress.print(`All of them are counted. ${AGAIN}`);
    return EXIT_INTERRUPTED;
  }
  progress.print(conclusion(options, state));
  return 0;
};

const AGAIN = "The same command again adds the rest: what is in the log already is recognised.";

const eventsIn = ({ tally }: SeedState): number =>
  tally.appended + tally.duplicates + tally.conflicts;

const line = (state: SeedState, total: number, elapsedMs: number, stopped: boolean): string => {
  const done = eventsIn(state);
  if (!stopped && done < total) {
    const counted = { done, of: total, sinceMs: 0, doneBefore: 0 };
    return progressLine("Seeding", counted, elapsedMs);
  }
  return `${count(done)} events are in the log; ${count(state.lag)} are still to be counted`;
};

/** The first signal ends the run early, the second one at once. */
const interruptOnSignal = (print: (text: string) => void): AbortSignal => {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
      interrupt.abort();
      print(`${signal}: finishing what is under way. Once more to stop at once.`);
    });
  }
  return interrupt.signal;
};

/** What to do with what is there now. */
const conclusion = ({ events, accounts, whale }: SeedOptions, { tally }: SeedState): string => {
  const ordinary = events === 0 ? 0 : Math.min(accounts, ACCOUNTS_SHOWN);
  const ids = Array.from({ length: ordinary }, (_, n) => `account-${n}`);
  if (whale > 0) ids.unshift(WHALE);
  const known =
    tally.appended === 0 ? "\nThe log held all of it before: --seed 2 adds others.\n" : "";
  return `${known}
Accounts that have most of it: ${ids.join(", ")}

  curl '${serviceUrl()}/accounts/${ids[0]}/summary?window=last_7d'
`;
};

const ACCOUNTS_SHOWN = 4;

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: (values, positionals) => seed(readOptions(values, positionals)),
  explain: explainDatabaseError,
});
