import {
  EXIT_INTERRUPTED,
  option,
  runCommand,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { withDatabase } from "../../db/client.ts";
import { explainDatabaseError } from "../../db/errors.ts";
import { WHALE } from "../shared/activity.ts";
import { count, elapsed } from "../shared/format.ts";
import { makeProgress, progressLine } from "../shared/progress.ts";
import { serviceUrl } from "../shared/service_url.ts";
import { describeOptions, type SeedOptions } from "./options.ts";
import { runSeed, type SeedState } from "./run_seed.ts";

/** How often the progress is printed where a line cannot change. */
const PLAIN_EVERY_MS = 5_000;
const SHOW_EVERY_MS = 100;

const seed = async (options: SeedOptions, interrupted: AbortSignal): Promise<number> => {
  const progress = makeProgress(process.stdout, PLAIN_EVERY_MS);
  const total = options.events + options.whale;
  // From the first event to the last count, without starting, migrating and stopping the database.
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
    else progress.show(line(state, total, elapsedMs(), interrupted.aborted));
  }, SHOW_EVERY_MS);
  progress.print(`${describeOptions(options)}; --seed ${options.seed}`);
  try {
    await withDatabase(
      async (url) => {
        const onState = (next: SeedState): void => {
          started ??= performance.now();
          state = next;
        };
        await runSeed({ url, options, signal: interrupted, onState });
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
  if (interrupted.aborted) {
    progress.print(`All of them are counted. ${AGAIN}`);
    return EXIT_INTERRUPTED;
  }
  progress.print(conclusion(options, state));
  return 0;
};

const AGAIN =
  "Run the same command again to add the rest. Events that are already in the log are skipped.";

const eventsIn = ({ tally }: SeedState): number =>
  tally.appended + tally.duplicates + tally.conflicts;

const line = (state: SeedState, total: number, elapsedMs: number, isStopped: boolean): string => {
  const done = eventsIn(state);
  if (!isStopped && done < total) {
    const work = { done, of: total, sinceMs: 0, doneBefore: 0 };
    return progressLine("Seeding", work, elapsedMs);
  }
  return `${count(done)} events are in the log; ${count(state.lag)} are not counted yet`;
};

const ACCOUNTS_SHOWN = 4;

/** What to try now. */
const conclusion = ({ events, accounts, whale }: SeedOptions, { tally }: SeedState): string => {
  const ordinary = events === 0 ? 0 : Math.min(accounts, ACCOUNTS_SHOWN);
  const ids = Array.from({ length: ordinary }, (_, n) => `account-${n}`);
  if (whale > 0) ids.unshift(WHALE);
  const known =
    tally.appended === 0
      ? "\nAll of these events were already in the log. Use --seed 2 to add others.\n"
      : "";
  return `${known}
The accounts with the most events: ${ids.join(", ")}

  curl '${serviceUrl()}/accounts/${ids[0]}/summary?window=last_7d'
`;
};

const EVENTS_MAX = 100_000_000;
const ACCOUNTS_MAX = 10_000_000;
/** The service accepts no older events by default. */
const DAYS_MAX = 3_650;
const SEED_MAX = 2 ** 32 - 1;

process.exitCode = await runCommand({
  name: "npm run seed",
  about:
    "Writes generated activity directly to the log, and counts it: when the command ends, the " +
    "summaries show everything. A few accounts, users and hours of the day have most of the " +
    "events. The same options produce the same events, so an interrupted run continues when it " +
    "is started again. A service can run at the same time.",
  arguments: {
    "[EVENTS]":
      "Number of events, up to 100 million (default 1000000). Each needs about 400 bytes of disk",
  },
  options: {
    accounts: option.whole("Number of accounts", { min: 1, max: ACCOUNTS_MAX, default: 1_000 }),
    users: option.whole("Users of each account", { min: 1, max: ACCOUNTS_MAX, default: 200 }),
    days: option.whole("The events happened within the last N days", {
      min: 1,
      max: DAYS_MAX,
      default: 7,
    }),
    whale: option.whole("Additional events of one account, called whale, with N/10 users", {
      min: 0,
      max: EVENTS_MAX,
      default: 0,
    }),
    seed: option.whole("Another seed produces other events", { min: 0, max: SEED_MAX, default: 1 }),
  },
  notes:
    "The database is the one in DATABASE_URL, else the embedded one under DATA_DIR (default " +
    ".data). A new database gets its schema and as many shards as SHARDS says (default 8). " +
    "Events cannot be removed from a log.",
  run: (options, [text = "1000000"], interrupted) => {
    // The whale can be alone.
    const min = options.whale === 0 ? 1 : 0;
    const events = wholeNumber("The number of events", text, { min, max: EVENTS_MAX });
    return seed({ ...options, events }, interrupted);
  },
  onInterrupt: "finishing the current work. Interrupt again to stop immediately.",
  explain: explainDatabaseError,
});
