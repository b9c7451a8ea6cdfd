import { type ApiKeyAdmin, makeApiKeyAdmin } from "../../adapters/postgres/api_key_admin.ts";
import { createPool, databaseOf } from "../../adapters/postgres/pool.ts";
import {
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { type Scope, SCOPES } from "../../core/access/principal.ts";
import { accountIdProblem, identifierProblem } from "../../core/event/identifier.ts";
import { printable } from "../../core/printable.ts";
import { explainDatabaseError } from "../../db/explain.ts";
import { withMigrationDatabase } from "../../db/with_database.ts";
import { createKey, listKeys, revokeKey, rotateKey, setQuota } from "./commands.ts";

const USAGE = `Usage: npm run -s keys -- <command>

  create --scope write,read,admin   prints a new key, alone on stdout; it cannot be shown again. From the first
                                    one on, within 5 seconds, every request needs a key
    --account ID                    for one account only
    --account-prefix TEXT           for the accounts that begin so
    --name TEXT                     what you know it by
    --requests-per-minute N         the most requests that it may make
    --events-per-minute N           the most events that it may send
  list [--json]                     all keys, without their secrets
  rotate ID [--grace-minutes N]     prints another key for the same; the old one is refused after N minutes
                                    (default 0), and within 5 seconds everywhere
  revoke ID                         refuses a key, within 5 seconds everywhere
  quota ACCOUNT N | off             how many events a minute an account may send, within 5 seconds everywhere

  --help                            show this text

The database is the one in MIGRATION_DATABASE_URL or else in DATABASE_URL or, when both are unset, the embedded one
under DATA_DIR (default: .data). A role that serves may only read keys, unless npm run migrate -- grant ROLE
--administer-keys lets it write them.
`;

const OPTIONS = {
  scope: { type: "string", multiple: true, default: [] as string[] },
  account: { type: "string" },
  "account-prefix": { type: "string" },
  name: { type: "string", default: "" },
  "requests-per-minute": { type: "string" },
  "events-per-minute": { type: "string" },
  "grace-minutes": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

type Command = (keys: ApiKeyAdmin) => Promise<number>;

const NUMBER_MAX = 1_000_000_000;

const positive = (name: string, text: string | undefined): number | null =>
  text === undefined ? null : wholeNumber(name, text, { min: 1, max: NUMBER_MAX });

/** An account id, or what some begin with: what could be no account's would give a right to nothing. */
const identifier = (
  name: string,
  text: string | undefined,
  problemOf = accountIdProblem,
): string | null => {
  if (text === undefined) return null;
  const problem = problemOf(text);
  if (problem === undefined) return text;
  throw new UsageError(`${name} ${problem}`);
};

const NAME_CHARACTERS_MAX = 200;

const label = (text: string): string => {
  if (text.length <= NAME_CHARACTERS_MAX && printable(text) === text) return text;
  throw new UsageError(
    `--name must be at most ${NAME_CHARACTERS_MAX} characters, and none that cannot be shown`,
  );
};

const scopesIn = (given: ReadonlyArray<string>): ReadonlyArray<Scope> => {
  const names = given.flatMap((text) => text.split(",")).filter((name) => name !== "");
  if (names.length === 0)
    throw new UsageError(`create needs --scope: one or more of ${SCOPES.join(", ")}`);
  return [...new Set(names)].map((name) => {
    const scope = SCOPES.find((each) => each === name);
    if (scope === undefined)
      throw new UsageError(`${shown(name)} is no scope; ${SCOPES.join(", ")} are`);
    return scope;
  });
};

/** @throws UsageError when what was asked for makes no sense */
const commandOf = (
  values: OptionValues<typeof OPTIONS>,
  positionals: ReadonlyArray<string>,
): Command => {
  const [command, first, second, ...rest] = positionals;
  const take = (count: number): void => {
    const given = [first, second, ...rest].filter((each) => each !== undefined).length;
    if (given !== count) {
      const many = ["no arguments", "one argument", "two arguments"][count];
      throw new UsageError(`${command} takes ${many}, not ${given}`);
    }
  };
  switch (command) {
    case undefined:
      throw new UsageError("There is no command given: create, list, rotate, revoke or quota");
    case "create": {
      take(0);
      if (values.account !== undefined && values["account-prefix"] !== undefined) {
        throw new UsageError("--account and --account-prefix exclude each other");
      }
      const grant = {
        name: label(values.name),
        scopes: scopesIn(values.scope),
        accountId: identifier("--account", values.account),
        accountPrefix: identifier("--account-prefix", values["account-prefix"], identifierProblem),
        requestsPerMinute: positive("--requests-per-minute", values["requests-per-minute"]),
        eventsPerMinute: positive("--events-per-minute", values["events-per-minute"]),
      };
      return (keys) => createKey(keys, grant);
    }
    case "list":
      take(0);
      return (keys) => listKeys(keys, values.json);
    case "revoke":
      take(1);
      return (keys) => revokeKey(keys, first ?? "");
    case "rotate": {
      take(1);
      const grace = wholeNumber("--grace-minutes", values["grace-minutes"] ?? "0", {
        min: 0,
        max: NUMBER_MAX,
      });
      return (keys) => rotateKey(keys, first ?? "", grace);
    }
    case "quota": {
      take(2);
      const quota = second === "off" ? null : positive("The quota", second);
      const accountId = identifier("The account", first) ?? "";
      return (keys) => setQuota(keys, accountId, quota);
    }
    default:
      throw new UsageError(`There is no command ${shown(command)}`);
  }
};

const run = (command: Command): Promise<number> =>
  withMigrationDatabase(async (url) => {
    const pool = createPool({
      url,
      connectionsMax: 1,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 10_000,
      // A query on it fails by itself.
      onIdleError: () => {},
    });
    try {
      return await command(makeApiKeyAdmin(databaseOf(pool)));
    } finally {
      await pool.end();
    }
  });

const INSUFFICIENT_PRIVILEGE = "42501";

const isForbidden = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === INSUFFICIENT_PRIVILEGE;

const FORBIDDEN_HINT =
  "Set MIGRATION_DATABASE_URL to the role that migrates, or let this role write keys with " +
  "npm run migrate -- grant ROLE --administer-keys.";

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: (values, positionals) => run(commandOf(values, positionals)),
  explain: (error) =>
    isForbidden(error)
      ? `${explainDatabaseError(error)}. ${FORBIDDEN_HINT}`
      : explainDatabaseError(error),
});
