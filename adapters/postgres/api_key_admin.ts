import type { Scope } from "../../core/access/principal.ts";
import type { Database, Statement } from "./pool.ts";

/** The rights and limits of a key. */
export interface ApiKeyGrant {
  readonly name: string;
  readonly scopes: ReadonlyArray<Scope>;
  /** At most one of the two; neither: all accounts. */
  readonly accountId: string | null;
  readonly accountPrefix: string | null;
  readonly requestsPerMinute: number | null;
  readonly eventsPerMinute: number | null;
}

/** A key without its secret. */
export interface ListedApiKey extends ApiKeyGrant {
  readonly id: string;
  readonly createdAt: Date;
  /** From when on it is refused; can be in the future. */
  readonly revokedAt: Date | null;
}

/** Creates, lists and revokes keys, and sets quotas. */
export interface ApiKeyAdmin {
  readonly create: (id: string, secretHash: Uint8Array, grant: ApiKeyGrant) => Promise<void>;
  /** Newest first. */
  readonly list: () => Promise<ReadonlyArray<ListedApiKey>>;
  readonly find: (id: string) => Promise<ListedApiKey | undefined>;
  /**
   * Revokes a key in `inMinutes`, or when an earlier call said so if that is sooner; false if there
   * is no such key.
   */
  readonly revoke: (id: string, inMinutes: number) => Promise<boolean>;
  /** Sets how many events per minute an account may send; null removes its quota. */
  readonly setQuota: (accountId: string, eventsPerMinute: number | null) => Promise<void>;
}

const CREATE: Statement = {
  name: "create_api_key",
  text: `
    insert into tidemark.api_keys (
      id, secret_hash, name, scopes, account_id, account_prefix, requests_per_minute,
      events_per_minute
    ) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
};

const COLUMNS = `
  id, name, scopes, account_id as "accountId", account_prefix as "accountPrefix",
  requests_per_minute as "requestsPerMinute", events_per_minute as "eventsPerMinute",
  created_at as "createdAt", revoked_at as "revokedAt"`;

const LIST: Statement = {
  name: "list_api_keys",
  text: `select ${COLUMNS} from tidemark.api_keys order by created_at desc, id`,
};
const FIND: Statement = {
  name: "describe_api_key",
  text: `select ${COLUMNS} from tidemark.api_keys where id = $1`,
};
const REVOKE: Statement = {
  name: "revoke_api_key",
  text: `
    update tidemark.api_keys
    set revoked_at = least(revoked_at, now() + make_interval(mins => $2::int))
    where id = $1 returning id`,
};
const SET_QUOTA: Statement = {
  name: "set_account_quota",
  text: `
    insert into tidemark.account_quotas (account_id, events_per_minute) values ($1, $2)
    on conflict (account_id) do update set events_per_minute = excluded.events_per_minute`,
};
const DROP_QUOTA: Statement = {
  name: "drop_account_quota",
  text: "delete from tidemark.account_quotas where account_id = $1",
};

export const makeApiKeyAdmin = (database: Database): ApiKeyAdmin => ({
  create: async (id, secretHash, grant) => {
    const { name, scopes, accountId, accountPrefix, requestsPerMinute, eventsPerMinute } = grant;
    const bindings = [accountId, accountPrefix, requestsPerMinute, eventsPerMinute];
    await database.query(CREATE, [id, Buffer.from(secretHash), name, scopes, ...bindings]);
  },
  list: () => database.query<ListedApiKey>(LIST, []),
  find: async (id) => (await database.query<ListedApiKey>(FIND, [id]))[0],
  revoke: async (id, inMinutes) => (await database.query(REVOKE, [id, inMinutes])).length > 0,
  setQuota: async (accountId, eventsPerMinute) => {
    if (eventsPerMinute === null) await database.query(DROP_QUOTA, [accountId]);
    else await database.query(SET_QUOTA, [accountId, eventsPerMinute]);
  },
});
