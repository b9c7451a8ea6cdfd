import { isIP } from "node:net";

import { Data, Effect, Schedule } from "effect";

import { isLoopback } from "../adapters/koa/access/client_address.ts";
import { makeMemoryTokenBuckets } from "../adapters/memory/token_buckets.ts";
import { readAccountQuotas } from "../adapters/postgres/account_quotas.ts";
import { makeApiKeys } from "../adapters/postgres/api_keys.ts";
import type { Database } from "../adapters/postgres/pool.ts";
import { isSecretOf } from "../adapters/postgres/secret_hash.ts";
import { makeAccess } from "../core/access/access.ts";
import { makeQuotas } from "../core/access/quotas.ts";
import { makeFaultReport } from "../core/report_faults.ts";
import type { Shared } from "./cache.ts";
import type { Configuration } from "./configuration.ts";
import type { DatabaseFaults } from "./database_faults.ts";

/** Without any key the service would be open to whoever reaches it. */
class OpenToAll extends Data.TaggedError("OpenToAll")<{ readonly message: string }> {}

type AccessConfiguration = Pick<Configuration, "AUTH" | "HOST" | "ROLES">;

const listensOnLoopback = ({ HOST }: AccessConfiguration): boolean =>
  HOST === "localhost" || (isIP(HOST) !== 0 && isLoopback(HOST));

/**
 * Opens what tells who asks.
 *
 * @errors `OpenToAll` when anybody could ask from anywhere
 */
export const openAccess = Effect.fnUntraced(function* (
  configuration: AccessConfiguration,
  database: Database,
  faults: Pick<DatabaseFaults, "watched">,
) {
  const keys = makeApiKeys(database);
  const { AUTH, HOST, ROLES } = configuration;
  const isLocal = listensOnLoopback(configuration);
  // Not watched yet: a fault that ends the start is logged where it ends it.
  const exist = yield* keys.exist;
  if (!exist && AUTH === "optional" && !isLocal && ROLES.has("api")) {
    return yield* new OpenToAll({
      message:
        `HOST=${HOST} without any API key would be open to everybody. Create a key ` +
        "(npm run -s keys -- create --scope write,read), or set AUTH=required and create one later, " +
        "or listen on HOST=127.0.0.1.",
    });
  }
  if (!exist && ROLES.has("api")) {
    yield* AUTH === "optional"
      ? Effect.logInfo("There is no API key: everybody on this machine may ask")
      : Effect.logWarning(
          "There is no API key, so nobody may ask: npm run -s keys -- create --scope write,read",
        );
  }
  return yield* makeAccess({
    keys: faults.watched("api_keys", keys),
    isSecretOf,
    openWithoutKeys: AUTH === "optional" && isLocal,
  });
});

/** How often quotas of accounts are looked up. */
const QUOTAS_EVERY = "2 seconds";

/**
 * Opens the quotas of accounts and keys, and keeps them up to date until the scope closes.
 *
 * @errors `QuotasUnavailable` when they cannot be read now: what was never read would never be enforced
 */
export const openQuotas = Effect.fnUntraced(function* (
  { ACCOUNT_EVENTS_PER_MINUTE, ROLES }: Pick<Configuration, "ACCOUNT_EVENTS_PER_MINUTE" | "ROLES">,
  database: Database,
  { makeTokenBuckets }: Pick<Shared, "makeTokenBuckets">,
  faults: Pick<DatabaseFaults, "watched">,
) {
  let quotas: ReadonlyMap<string, number> = new Map();
  const all = readAccountQuotas(database);
  const keep = (read: ReadonlyMap<string, number>) =>
    Effect.sync(() => {
      quotas = read;
    });
  // Only who answers requests accepts events.
  if (ROLES.has("api")) {
    const report = yield* makeFaultReport({
      task: "quotas",
      failing: "The quotas of accounts cannot be read: the last known ones stay in force",
      working: "The quotas of accounts are read again",
    });
    // Not watched yet: a fault that ends the start is logged where it ends it.
    yield* keep(yield* all);
    const watched = faults.watched("account_quotas", { all });
    const look = report.watch(Effect.flatMap(watched.all, keep));
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(QUOTAS_EVERY)));
  }
  return makeQuotas(
    makeTokenBuckets(makeMemoryTokenBuckets()),
    (accountId) => quotas.get(accountId) ?? ACCOUNT_EVENTS_PER_MINUTE,
  );
});
