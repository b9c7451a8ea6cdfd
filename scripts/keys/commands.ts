import { randomBytes } from "node:crypto";

import type {
  ApiKeyAdmin,
  ApiKeyGrant,
  ListedApiKey,
} from "../../adapters/postgres/api_key_admin.ts";
import { hashSecret } from "../../adapters/postgres/api_keys.ts";
import { EXIT_FAILED } from "../../adapters/terminal/command_line.ts";
import { API_KEY_BYTES, formatApiKey, newApiKey } from "../../core/access/api_key.ts";
import { printable } from "../../core/printable.ts";

/** Escapes names and account ids, which other people chose: this may be a terminal. */
const say = (line: string): void => {
  process.stdout.write(`${printable(line)}\n`);
};

/** Prints a remark on standard error, so that a script gets nothing but the result. */
const remark = (line: string): void => {
  process.stderr.write(`${printable(line)}\n`);
};

/** Creates a key and prints it, alone on stdout. It cannot be shown again. */
export const createKey = async (keys: ApiKeyAdmin, grant: ApiKeyGrant): Promise<number> => {
  const key = newApiKey(randomBytes(API_KEY_BYTES));
  await keys.create(key.id, hashSecret(key.secret), grant);
  say(formatApiKey(key));
  remark(
    `Key ${key.id}: ${grant.scopes.join(", ")} for ${accountsOf(grant)}. Store it now: it cannot be shown again.`,
  );
  if ((await keys.list()).length === 1) remark(FIRST_KEY);
  return 0;
};

/** Creating it ends access without a key, for good. */
const FIRST_KEY = "This is the first key: within 5 seconds every request needs a key.";

const accountsOf = ({ accountId, accountPrefix }: ApiKeyGrant): string => {
  if (accountId !== null) return `account ${accountId}`;
  return accountPrefix === null ? "all accounts" : `accounts ${accountPrefix}…`;
};

/** Prints all keys without their secrets, as a table or as JSON. */
export const listKeys = async (keys: ApiKeyAdmin, json: boolean): Promise<number> => {
  const listed = await keys.list();
  if (json) {
    for (const line of JSON.stringify(listed.map(shown), null, 2).split("\n")) say(line);
    return 0;
  }
  if (listed.length === 0) {
    remark("There are no keys. Create one with npm run -s keys -- create --scope write,read");
    return 0;
  }
  say(row("ID", "SCOPES", "STATE", "CREATED", "FOR", "NAME"));
  for (const key of listed) {
    const created = key.createdAt.toISOString();
    say(row(key.id, key.scopes.join(","), stateOf(key), created, accountsOf(key), key.name));
  }
  return 0;
};

const shown = (key: ListedApiKey) => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  account: key.accountId,
  account_prefix: key.accountPrefix,
  requests_per_minute: key.requestsPerMinute,
  events_per_minute: key.eventsPerMinute,
  created_at: key.createdAt.toISOString(),
  revoked_at: key.revokedAt?.toISOString() ?? null,
});

const stateOf = ({ revokedAt }: ListedApiKey): string => {
  if (revokedAt === null) return "active";
  return revokedAt.getTime() > Date.now() ? "ending" : "revoked";
};

const row = (
  id: string,
  scopes: string,
  state: string,
  created: string,
  to: string,
  name: string,
) =>
  [id.padEnd(12), scopes.padEnd(16), state.padEnd(7), created.padEnd(24), to.padEnd(20), name]
    .join("  ")
    .trimEnd();

/** Revokes a key immediately. */
export const revokeKey = async (keys: ApiKeyAdmin, id: string): Promise<number> => {
  if (!(await keys.revoke(id, 0))) return notFound(id);
  remark(`Key ${id} is revoked. Every process refuses it within 5 seconds.`);
  return 0;
};

/** Creates and prints a key with the same rights, and revokes the old one after `graceMinutes`. */
export const rotateKey = async (
  keys: ApiKeyAdmin,
  id: string,
  graceMinutes: number,
): Promise<number> => {
  const old = await keys.find(id);
  if (old === undefined) return notFound(id);
  if (stateOf(old) === "revoked") {
    remark(`Key ${id} is revoked, so it cannot be rotated. Create a new key.`);
    return EXIT_FAILED;
  }
  const created = await createKey(keys, old);
  await keys.revoke(id, graceMinutes);
  const end = graceMinutes === 0 ? "within 5 seconds" : `in ${graceMinutes} minutes`;
  remark(`Key ${id} stops working ${end}.`);
  return created;
};

const notFound = (id: string): number => {
  remark(`Key ${id} does not exist. npm run -s keys -- list shows all keys.`);
  return EXIT_FAILED;
};

/** Sets or removes the quota of an account. */
export const setQuota = async (
  keys: ApiKeyAdmin,
  accountId: string,
  eventsPerMinute: number | null,
): Promise<number> => {
  await keys.setQuota(accountId, eventsPerMinute);
  remark(
    eventsPerMinute === null
      ? `Account ${accountId} has no quota.`
      : `Account ${accountId} can send ${eventsPerMinute} events per minute.`,
  );
  return 0;
};
