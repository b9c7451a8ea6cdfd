import { noMore, type OptionValues, wholeNumber } from "../../adapters/terminal/command_line.ts";
import { hash53 } from "../../core/event/hash.ts";
import { whaleUsers } from "../ingest/activity.ts";

/** What to put into the log. The same options give the same events. */
export interface SeedOptions {
  /** Events of ordinary accounts. */
  readonly events: number;
  readonly accounts: number;
  /** Users of each account. */
  readonly users: number;
  readonly days: number;
  /** Events of the account `whale`, on top of the others. */
  readonly whale: number;
  readonly seed: number;
}

export const USAGE = `Usage: npm run seed -- [events] [options]

Puts generated activity straight into the log, in bulk, and counts it: everything is in the summaries when it
ends. Few accounts, users and hours of the day have most of it. The same options give the same
events, so that a run that was broken off goes on where it was when it is started again. A service may run meanwhile.

  events        how many events, up to 100 million (default 1000000); each takes some 400 bytes of disk
  --accounts N  accounts (default 1000)
  --users N     users of each account (default 200)
  --days N      the events happened within the last N days (default 7)
  --whale N     N events more, of one account called whale, by a tenth as many users
  --seed N      other events (default 1)
  --help        show this text

The database is the one in DATABASE_URL or, when that is unset, the embedded one under DATA_DIR (default: .data).
A new one gets its schema, with as many shards as SHARDS says (default 8). Events cannot be taken out of a log again.
`;

export const OPTIONS = {
  accounts: { type: "string", default: "1000" },
  users: { type: "string", default: "200" },
  days: { type: "string", default: "7" },
  whale: { type: "string", default: "0" },
  seed: { type: "string", default: "1" },
} as const;

const EVENTS_MAX = 100_000_000;
const ACCOUNTS_MAX = 10_000_000;
/** As far as the service accepts events by default. */
const DAYS_MAX = 3_650;
const SEED_MAX = 2 ** 32 - 1;

/**
 * What was asked for.
 *
 * @throws UsageError when it makes no sense
 */
export const readOptions = (
  values: OptionValues<typeof OPTIONS>,
  [events = "1000000", ...surplus]: ReadonlyArray<string>,
): SeedOptions => {
  noMore(surplus);
  const whale = wholeNumber("--whale", values.whale, { min: 0, max: EVENTS_MAX });
  return {
    // A whale may be alone.
    events: wholeNumber("The number of events", events, {
      min: whale === 0 ? 1 : 0,
      max: EVENTS_MAX,
    }),
    accounts: wholeNumber("--accounts", values.accounts, { min: 1, max: ACCOUNTS_MAX }),
    users: wholeNumber("--users", values.users, { min: 1, max: ACCOUNTS_MAX }),
    days: wholeNumber("--days", values.days, { min: 1, max: DAYS_MAX }),
    whale,
    seed: wholeNumber("--seed", values.seed, { min: 0, max: SEED_MAX }),
  };
};

/** What the ids of a run's events begin with. Other options give other events, and so other ids. */
export const nameOf = ({ seed, ...shape }: SeedOptions): string =>
  `seed-${seed}-${hash53(JSON.stringify(shape)).toString(36).slice(0, NAME_DIGITS)}`;

const NAME_DIGITS = 6;

/** What is asked for, in words. */
export const describeOptions = ({ events, accounts, users, days, whale }: SeedOptions): string => {
  const whaleText =
    whale === 0 ? "" : `${counted(whale)} of a whale with ${counted(whaleUsers(whale))} users`;
  const others = `${counted(events)} events of ${counted(accounts)} accounts with ${counted(users)} users each`;
  const parts = [...(events === 0 ? [] : [others]), ...(whaleText === "" ? [] : [whaleText])];
  return `${parts.join(" and ")}, within ${days} days`;
};

const counted = (value: number): string => value.toLocaleString("en-US");
