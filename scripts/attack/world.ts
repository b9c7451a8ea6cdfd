import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Effect } from "effect";

import { type ApiKeyGrant, makeApiKeyAdmin } from "../../adapters/postgres/api_key_admin.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { hashSecret } from "../../adapters/postgres/secret_hash.ts";
import { API_KEY_BYTES, formatApiKey, newApiKey } from "../../core/access/api_key.ts";
import { SHARDS_DEFAULT } from "../../core/event/shard.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { fillLog } from "../bench/fill_log.ts";
import type { Cleanups } from "../chaos/cleanups.ts";
import { type DirectDatabase, openDirectDatabase } from "../chaos/direct_database.ts";
import { startRedisServer } from "../chaos/redis_server.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { setup } from "../test/setup.ts";
import type { Target } from "./attack.ts";
import { EVENT_TYPES } from "./event_types.ts";
import type { Tenant } from "./honest.ts";

/** What a service is attacked on: a database with events, keys, and a Redis if one was asked for. */
export interface World {
  /** Where logs go. */
  readonly folder: string;
  /** What the service is started with. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tenants: ReadonlyArray<Tenant>;
  /** What the attacker knows, beside where the service listens. */
  readonly attacker: Omit<Target, "host" | "port" | "share">;
  /** Makes a key that can be revoked, for an account of the first tenant. */
  readonly makeRevocableKey: () => Promise<RevocableKey>;
  readonly database: DirectDatabase;
}

export interface RevocableKey {
  readonly key: string;
  /** A request that it may make. */
  readonly path: string;
  readonly revoke: () => Promise<void>;
}

export interface WorldOptions {
  readonly whaleEvents: number;
  readonly redis: boolean;
  /** Whether the logs are to stay when everything else is undone. */
  readonly keepLogs: () => boolean;
  /** Undoes all of it. */
  readonly cleanups: Cleanups;
  readonly say: (sentence: string) => void;
}

const TENANTS = 4;
const ACCOUNTS_A_TENANT = 25;
const TENANT_EVENTS = 100_000;
const TENANT_DAYS = 30;

/** So many users and days that ranking them is work. */
const WHALE_USERS = 20_000;
const WHALE_DAYS = 400;

const ATTACKER_PREFIX = "mallory-";
const SMALL_QUOTA_EVENTS = 100;

export const buildWorld = async (options: WorldOptions): Promise<World> => {
  const { cleanups, say } = options;
  const folder = await mkdtemp(join(tmpdir(), "tidemark-attack-"));
  cleanups.add(async () => {
    if (options.keepLogs()) say(`Logs are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  });
  say("Starting Postgres");
  const { env, teardown } = await setup();
  cleanups.add(teardown);
  Object.assign(process.env, env);
  const migrated = await createMigratedDatabase(SHARDS_DEFAULT);
  cleanups.add(migrated.close);
  const database = openDirectDatabase(() => migrated.url);
  cleanups.add(database.close);
  const redis = options.redis ? await startRedisServer(folder) : undefined;
  if (redis !== undefined) cleanups.add(redis.kill);

  const whale = `${ATTACKER_PREFIX}whale`;
  const names = Array.from({ length: TENANTS }, (_, i) => `tenant${i}`);
  const readAccountsOf = (name: string) =>
    Array.from({ length: ACCOUNTS_A_TENANT }, (_, i) => `${name}-read-${i}`);
  say(`Filling the log with ${options.whaleEvents} events of one account, and others`);
  await fillLog(migrated.url, SHARDS_DEFAULT, [
    {
      accounts: names.flatMap(readAccountsOf),
      events: TENANT_EVENTS,
      users: 100,
      days: TENANT_DAYS,
    },
    { accounts: [whale], events: options.whaleEvents, users: WHALE_USERS, days: WHALE_DAYS },
  ]);
  say("Counting them");
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
      DATABASE_URL: migrated.url,
      EVENT_TYPES,
      ...(redis === undefined ? {} : { REDIS_URL: `redis://127.0.0.1:${redis.port}/0` }),
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

const BACKLOG = `
  select queue.jobs > 0 or log.events > 0 as left
  from
    (select count(*) as jobs from tidemark_queue.job
     where name = 'events' and state < 'completed') queue,
    (select sum(h.position - c.position) as events
     from tidemark.log_heads h join read_models.checkpoints c using (shard)) log`;

const POLL_MS = 200;

/** Waits until nothing that was accepted waits to be counted; false if that is not within this time. */
export const hasDrained = async (database: DirectDatabase, withinMs: number): Promise<boolean> => {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const [row] = await database.query<{ left: boolean }>(BACKLOG);
    if (row?.left === false) return true;
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
};

/** Forgets what waits to be appended, for the next attack; no service may run. */
export const forgetBacklog = async (database: DirectDatabase): Promise<void> => {
  await database.query(
    "delete from tidemark_queue.job where name = 'events' and state < 'completed'",
  );
};
