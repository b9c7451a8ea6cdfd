import { type ApiKeyAdmin, makeApiKeyAdmin } from "../../adapters/postgres/api_key_admin.ts";
import { createPool, databaseOf } from "../../adapters/postgres/pool.ts";
import {
  alternatives,
  command,
  option,
  runCommands,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { type Scope, SCOPES } from "../../core/access/principal.ts";
import { accountIdProblem, identifierProblem } from "../../core/event/identifier.ts";
import { printable } from "../../core/printable.ts";
import { withMigrationDatabase } from "../../db/client.ts";
import { explainDatabaseError } from "../../db/errors.ts";
import { createKey, listKeys, revokeKey, rotateKey, setQuota } from "./commands.ts";

const NUMBER_MAX = 1_000_000_000;
const POSITIVE = { min: 1, max: NUMBER_MAX };

const create = command({
  about:
    "Prints a new key, alone on standard output. The key cannot be shown again. Within 5 seconds " +
    "after the first key is created, every request needs a key",
  options: {
    scope: option.list("SCOPES", `What the key allows: one or more of ${SCOPES.join(",")}`),
    account: option.text("ID", "Allow this account only"),
    accountPrefix: option.text("TEXT", "Allow accounts whose ids begin with TEXT"),
    name: option.text("TEXT", "A name for the list of keys"),
    requestsPerMinute: option.whole("Most requests per minute", POSITIVE),
    eventsPerMinute: option.whole("Most events per minute", POSITIVE),
  },
  run: ({ scope, account, accountPrefix, name = "", requestsPerMinute, eventsPerMinute }) => {
    if (account !== undefined && accountPrefix !== undefined) {
      throw new UsageError("Use --account or --account-prefix, not both");
    }
    assertIdentifier("--account", account, accountIdProblem);
    assertIdentifier("--account-prefix", accountPrefix, identifierProblem);
    assertName(name);
    const grant = {
      name,
      scopes: scopesIn(scope),
      accountId: account ?? null,
      accountPrefix: accountPrefix ?? null,
      requestsPerMinute: requestsPerMinute ?? null,
      eventsPerMinute: eventsPerMinute ?? null,
    };
    return withKeys((keys) => createKey(keys, grant));
  },
});

/** A key for an id that no account can have would allow nothing. */
const assertIdentifier = (
  name: string,
  text: string | undefined,
  problemOf: (text: string) => string | undefined,
): void => {
  const problem = text === undefined ? undefined : problemOf(text);
  if (problem !== undefined) throw new UsageError(`${name} ${problem}`);
};

const NAME_CHARACTERS_MAX = 200;

const assertName = (text: string): void => {
  if (text.length <= NAME_CHARACTERS_MAX && printable(text) === text) return;
  throw new UsageError(
    `--name must have at most ${NAME_CHARACTERS_MAX} characters, all of them printable`,
  );
};

const scopesIn = (names: ReadonlyArray<string>): ReadonlyArray<Scope> => {
  const all = alternatives(SCOPES);
  if (names.length === 0) throw new UsageError(`Missing --scope; use ${all}`);
  return [...new Set(names)].map((name) => {
    const scope = SCOPES.find((each) => each === name);
    if (scope === undefined) throw new UsageError(`Unknown scope ${shown(name)}; use ${all}`);
    return scope;
  });
};

const withKeys = (use: (keys: ApiKeyAdmin) => Promise<number>): Promise<number> =>
  withMigrationDatabase(async (url) => {
    const pool = createPool({
      url,
      connectionsMax: 1,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 10_000,
      // The next query fails and reports it.
      onIdleError: () => {},
    });
    try {
      return await use(makeApiKeyAdmin(databaseOf(pool)));
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

process.exitCode = await runCommands({
  name: "npm run -s keys",
  about:
    "Manages API keys and quotas of accounts. Changes take effect everywhere within 5 seconds.",
  commands: {
    create,
    list: command({
      about: "Lists all keys, without their secrets",
      options: { json: option.flag("Print JSON") },
      run: ({ json }) => withKeys((keys) => listKeys(keys, json)),
    }),
    rotate: command({
      about: "Prints a new key with the same rights, and revokes the old one",
      arguments: { ID: "" },
      options: {
        graceMinutes: option.whole("Minutes that the old key stays valid", {
          min: 0,
          max: NUMBER_MAX,
          default: 0,
        }),
      },
      run: ({ graceMinutes }, [id]: readonly [string]) =>
        withKeys((keys) => rotateKey(keys, id, graceMinutes)),
    }),
    revoke: command({
      about: "Revokes a key",
      arguments: { ID: "" },
      run: (_, [id]: readonly [string]) => withKeys((keys) => revokeKey(keys, id)),
    }),
    quota: command({
      about: "Limits how many events per minute an account can send, or removes the limit",
      arguments: { ACCOUNT: "", "N|off": "" },
      run: (_, [account, text]: readonly [string, string]) => {
        const quota = text === "off" ? null : wholeNumber("The quota", text, POSITIVE);
        assertIdentifier("The account", account, accountIdProblem);
        return withKeys((keys) => setQuota(keys, account, quota));
      },
    }),
  },
  notes:
    "The database is the one in MIGRATION_DATABASE_URL, else the one in DATABASE_URL, else the " +
    "embedded one under DATA_DIR (default .data). A role that serves can only read keys, unless " +
    "npm run migrate -- grant ROLE --administer-keys lets it write them.",
  explain: (error) =>
    isForbidden(error)
      ? `${explainDatabaseError(error)}. ${FORBIDDEN_HINT}`
      : explainDatabaseError(error),
});
