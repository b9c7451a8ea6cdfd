import { Effect, Layer } from "effect";

import { ApiKeys, ApiKeysUnavailable } from "../../core/access/access.ts";
import type { StoredApiKey } from "../../core/access/api_key.ts";
import type { AccountBinding, Scope } from "../../core/access/principal.ts";
import { asking } from "./ask.ts";
import { type Database, Databases, type Statement } from "./pool.ts";

const unavailable = asking(ApiKeysUnavailable);

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

/** The keys in Postgres. */
const makeApiKeys = (database: Database): ApiKeys["Service"] => ({
  find: (id) =>
    unavailable(async (signal) => {
      const [row] = await database.query<Row>(FIND, [id], signal);
      return row === undefined ? undefined : storedOf(id, row);
    }),
  exist: unavailable(async (signal) => {
    const [row] = await database.query<{ exist: boolean }>(EXIST, [], signal);
    return row?.exist ?? false;
  }),
});

export const apiKeysLayer: Layer.Layer<ApiKeys, never, Databases> = Layer.effect(
  ApiKeys,
  Effect.map(Databases, ({ control }) => makeApiKeys(control)),
);

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
