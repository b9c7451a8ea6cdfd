import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Effect } from "effect";

import { startEmbeddedPostgres } from "../../adapters/embedded_postgres/embedded_postgres.ts";
import { type ApiKeyGrant, makeApiKeyAdmin } from "../../adapters/postgres/api_key_admin.ts";
import { hashSecret } from "../../adapters/postgres/api_keys.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { API_KEY_BYTES, formatApiKey, newApiKey } from "../../core/access/api_key.ts";
import { EVENT_TYPES_DEFAULT } from "../../core/event/rules.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { fillLog } from "../bench/fill_log.ts";
import { startRedisServer } from "../test/redis_server.ts";
import type { Cleanups } from "../testbed/cleanups.ts";
import { type DirectDatabase, openDirectDatabase } from "../testbed/direct_database.ts";
import { prepareDatabase } from "../testbed/service_process.ts";
import { RARE_TYPE, type Target } from "./attack.ts";
import type { Tenant } from "./honest.ts";

/** The surroundings of the attacked service: a database with events, keys, and optionally a Redis. */
export interface World {
  /** The folder of the logs. */
  readonly folder: string;
  /** The variables of the service. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tenants: ReadonlyArray<Tenant>;
  /** What the attacker knows, beside the address of the service. */
  readonly attacker: Omit<Target, "host" | "port" | "share">;
  /** Creates a key to revoke, for an account of the first tenant. */
  readonly makeRevocableKey: () => Promise<RevocableKey>;
  readonly database: DirectDatabase;
}

export interface RevocableKey {
  readonly key: string;
  /** A path that the key may read. */
  readonly path: string;
  readonly revoke: () => Promise<void>;
}

export interface WorldOptions {
  readonly whaleEvents: number;
  readonly redis: boolean;
  /** Whether to keep the logs at the end. */
  readonly keepLogs: () => boolean;
  readonly cleanups: Cleanups;
  readonly say: (sentence: string) => void;
}

const TENANTS = 4;
const ACCOUNTS_A_TENANT = 25;
const TENANT_EVENTS = 100_000;
const TENANT_DAYS = 30;

/** Enough users and days to make a ranking expensive. */
const WHALE_USERS = 20_000;
const WHALE_DAYS = 400;

const ATTACKER_PREFIX = "mallory-";
const SMALL_QUOTA_EVENTS = 100;

export const buildWorld = async (options: WorldOptions): Promise<World> => {
  const { cleanups, say } = options;
  const folder = await mkdtemp(join(tmpdir(), "tidemark-attack-"));
  cleanups.add(async () => {
    if (options.keepLogs()) say(`The logs are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  });
  say("Starting Postgres");
  const dataDir = join(folder, "data");
  cleanups.add(() => rm(dataDir, { recursive: true, force: true }));
  const { url, stop } = await startEmbeddedPostgres({ dataDir });
  cleanups.add(stop);
  await prepareDatabase(url);
  const database = openDirectDatabase(() => url);
  cleanups.add(database.close);
  const redis = options.redis ? await startRedisServer() : undefined;
  if (redis !== undefined) cleanups.add(redis.close);

  const whale = `${ATTACKER_PREFIX}whale`;
  const names = Array.from({ length: TENANTS }, (_, i) => `tenant${i}`);
  const readAccountsOf = (name: string) =>
    Array.from({ length: ACCOUNTS_A_TENANT }, (_, i) => `${name}-read-${i}`);
  say(`Filling the log with ${options.whaleEvents} events of one account, and some of others`);
  await fillLog(url, SHARDS_DEFAULT, [
    {
      accounts: names.flatMap(readAccountsOf),
      events: TENANT_EVENTS,
      users: 100,
      days: TENANT_DAYS,
    },
    { accounts: [whale], events: options.whaleEvents, users: WHALE_USERS, days: WHALE_DAYS },
  ]);
  say("Projecting the log");
  const projection = makeProjection(database.database());
  await Effect.runPromise(Effect.provideService(catchUp, Projection, projection));

  const keys = makeApiKeyAdmin(database.database());
  const makeKey = async (grant: Partial<ApiKeyGrant>) => {
    const key = newApiKey(randomBytes(API_KEY_BYTES));
    await keys.create(key.id, hashSecret(key.secret), {
      name: "attack",
      scopes: ["write", "read"],
      accountId: null,
      accountPrefix: null,
      requestsPerMinute: null,
      eventsPerMinute: null,
      ...grant,
    });
    return { id: key.id, key: formatApiKey(key) };
  };
  const tenants: Tenant[] = [];
  for (const name of names) {
    const { key } = await makeKey({ accountPrefix: `${name}-` });
    tenants.push({
      name,
      key,
      readAccounts: readAccountsOf(name),
      accountPrefix: `${name}-`,
    });
  }
  const smallQuotaAccount = `${ATTACKER_PREFIX}small-quota`;
  await keys.setQuota(smallQuotaAccount, SMALL_QUOTA_EVENTS);
  const { key } = await makeKey({ accountPrefix: ATTACKER_PREFIX });

  return {
    folder,
    environment: {
      DATABASE_URL: url,
      EVENT_TYPES: [...EVENT_TYPES_DEFAULT, RARE_TYPE].join(","),
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    },
    tenants,
    attacker: { key, accountPrefix: ATTACKER_PREFIX, whale, smallQuotaAccount },
    makeRevocableKey: async () => {
      const account = `${names[0]}-read-0`;
      const made = await makeKey({ accountId: account });
      return {
        key: made.key,
        path: `/accounts/${account}/summary`,
        revoke: async () => {
          await keys.revoke(made.id, 0);
        },
      };
    },
    database,
  };
};

/** Deletes the backlog for the next attack. No service may run. */
export const forgetBacklog = async (database: DirectDatabase): Promise<void> => {
  await database.query(
    "delete from tidemark_queue.job where name = 'events' and state < 'completed'",
  );
};
