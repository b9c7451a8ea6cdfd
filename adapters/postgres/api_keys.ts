import { hash, timingSafeEqual } from "node:crypto";

import { Data, type Effect } from "effect";

import { ApiKeys, ApiKeysUnavailable } from "../../core/access/access.ts";
import type { StoredApiKey } from "../../core/access/api_key.ts";
import type { AccountBinding, Scope } from "../../core/access/principal.ts";
import { present } from "../../core/invariant.ts";
import type { StoreFailure } from "../../core/store_failure.ts";
import { failingAs } from "./errors.ts";
import { type Database, portLayer, type Statement } from "./pool.ts";

/** What is stored of a key's secret: its SHA-256. */
export const hashSecret = (secret: string): Buffer => hash("sha256", secret, "buffer");

/** Whether a hash is that of this secret, in a time that does not depend on where they differ. */
export const isSecretOf = (secret: string, stored: Uint8Array): boolean => {
  const own = hashSecret(secret);
  return own.length === stored.length && timingSafeEqual(own, stored);
};

const FIND: Statement = {
  name: "find_api_key",
  text: `
    select
      secret_hash as "secretHash", scopes, coalesce(revoked_at <= now(), false) as revoked,
      account_id as "accountId", account_prefix as "accountPrefix",
      requests_per_minute as "requestsPerMinute", events_per_minute as "eventsPerMinute"
    from tidemark.api_keys where id = $1`,
};

const EXIST: Statement = {
  name: "api_keys_exist",
  text: "select exists (select from tidemark.api_keys) as exist",
};

interface Row {
  readonly secretHash: Buffer;
  readonly scopes: ReadonlyArray<Scope>;
  readonly revoked: boolean;
  readonly accountId: string | null;
  readonly accountPrefix: string | null;
  readonly requestsPerMinute: number | null;
  readonly eventsPerMinute: number | null;
}

const queryKeys = failingAs(ApiKeysUnavailable);

/** The API keys in Postgres. */
const makeApiKeys = (database: Database): ApiKeys["Service"] => ({
  find: (id) =>
    queryKeys(async (signal) => {
      const [row] = await database.query<Row>(FIND, [id], signal);
      return row === undefined ? undefined : storedOf(id, row);
    }),
  exist: queryKeys(async (signal) => {
    const [row] = await database.query<{ exist: boolean }>(EXIST, [], signal);
    return present(row, "exists returns a row").exist;
  }),
});

export const apiKeysLayer = portLayer(ApiKeys, ({ control }) => makeApiKeys(control));

const storedOf = (keyId: string, row: Row): StoredApiKey => ({
  secretHash: row.secretHash,
  revoked: row.revoked,
  principal: {
    keyId,
    scopes: new Set(row.scopes),
    accounts: bindingOf(row),
    requestsPerMinute: row.requestsPerMinute ?? undefined,
    eventsPerMinute: row.eventsPerMinute ?? undefined,
  },
});

const bindingOf = ({ accountId, accountPrefix }: Row): AccountBinding => {
  if (accountId !== null) return { _tag: "One", accountId };
  if (accountPrefix !== null) return { _tag: "Prefix", prefix: accountPrefix };
  return { _tag: "All" };
};

const QUOTAS: Statement = {
  name: "account_quotas",
  text: `
    select account_id as "accountId", events_per_minute as "eventsPerMinute"
    from tidemark.account_quotas`,
};

export class QuotasUnavailable extends Data.TaggedError("QuotasUnavailable")<StoreFailure> {}

const queryQuotas = failingAs(QuotasUnavailable);

/** Reads the accounts that have a quota of their own, which are few, in events per minute. */
export const readAccountQuotas = (
  database: Database,
): Effect.Effect<ReadonlyMap<string, number>, QuotasUnavailable> =>
  queryQuotas(async (signal) => {
    const rows = await database.query<{ accountId: string; eventsPerMinute: number }>(
      QUOTAS,
      [],
      signal,
    );
    return new Map(rows.map(({ accountId, eventsPerMinute }) => [accountId, eventsPerMinute]));
  });
