import { randomBytes } from "node:crypto";

import { type ApiKeyAdmin, makeApiKeyAdmin } from "../adapters/postgres/api_key_admin.ts";
import { hashSecret } from "../adapters/postgres/api_keys.ts";
import { databaseOf } from "../adapters/postgres/pool.ts";
import { API_KEY_BYTES, formatApiKey, newApiKey } from "../core/access/api_key.ts";
import type { Scope } from "../core/access/principal.ts";
import { withClient } from "../db/client.ts";

export const withKeys = <A>(url: string, use: (keys: ApiKeyAdmin) => Promise<A>): Promise<A> =>
  withClient(url, (client) => use(makeApiKeyAdmin(databaseOf(client))));

const GRANT = {
  name: "",
  accountId: null,
  accountPrefix: null,
  requestsPerMinute: null,
  eventsPerMinute: null,
};

/** Creates a key in a database, as `npm run keys` does. */
export const createKey = async (
  url: string,
  scopes: ReadonlyArray<Scope>,
  grant: Partial<Parameters<ApiKeyAdmin["create"]>[2]> = {},
): Promise<{ readonly id: string; readonly text: string }> => {
  const key = newApiKey(randomBytes(API_KEY_BYTES));
  await withKeys(url, (keys) =>
    keys.create(key.id, hashSecret(key.secret), { ...GRANT, ...grant, scopes }),
  );
  return { id: key.id, text: formatApiKey(key) };
};
