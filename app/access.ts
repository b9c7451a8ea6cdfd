import { isIP } from "node:net";

import { Data, Effect, Layer, Schedule } from "effect";

import { isLoopback } from "../adapters/koa/access/client_address.ts";
import { makeMemoryTokenBuckets } from "../adapters/memory/token_buckets.ts";
import { isSecretOf, readAccountQuotas } from "../adapters/postgres/api_keys.ts";
import { Databases } from "../adapters/postgres/pool.ts";
import { Access, ApiKeys, makeAccess } from "../core/access/access.ts";
import { makeQuotas } from "../core/access/quotas.ts";
import { makeFaultReport } from "../core/report_faults.ts";
import { Shared } from "./cache.ts";
import type { Configuration } from "./configuration.ts";
import { untilDatabaseReady } from "./database/wait.ts";
import { observePort, Observers } from "./observe_port.ts";

/** Without any key the service would be open to everyone who can reach it. */
class OpenToAll extends Data.TaggedError("OpenToAll")<{ readonly message: string }> {}

type AccessConfiguration = Pick<Configuration, "AUTH" | "HOST" | "ROLES">;

/**
 * Authenticates clients by API keys; without any key, admits everyone on this machine.
 *
 * @errors `DatabaseUnusable`, also when everyone everywhere would be admitted
 */
export const accessLayer = (configuration: AccessConfiguration) =>
  Layer.effect(Access, untilDatabaseReady(openAccess(configuration)));

const openAccess = Effect.fnUntraced(function* ({ AUTH, HOST, ROLES }: AccessConfiguration) {
  const keys = yield* ApiKeys;
  const isLocal = HOST === "localhost" || (isIP(HOST) !== 0 && isLoopback(HOST));
  // Not observed yet: a fault that ends the start is logged where it ends it.
  const exist = yield* keys.exist;
  if (!exist && AUTH === "optional" && !isLocal && ROLES.has("api")) {
    return yield* new OpenToAll({
      message:
        `HOST=${HOST} without any API key would be open to everyone. Create a key ` +
        "(npm run -s keys -- create --scope write,read), or set AUTH=required and create one later, " +
        "or listen on HOST=127.0.0.1.",
    });
  }
  if (!exist && ROLES.has("api")) {
    yield* AUTH === "optional"
      ? Effect.logInfo("There is no API key: everyone on this machine has access")
      : Effect.logWarning(
          "There is no API key, so every request is refused. Create one: npm run -s keys -- create --scope write,read",
        );
  }
  const observed = { find: "not measured", exist: "not measured" } as const;
  return yield* makeAccess({
    keys: observePort(keys, "api_keys", observed, yield* Observers),
    isSecretOf,
    openWithoutKeys: AUTH === "optional" && isLocal,
  });
});

/** How often the quotas of accounts are read. */
const QUOTAS_EVERY = "2 seconds";

/**
 * Reads the quotas of accounts, and again and again until the scope closes.
 *
 * @errors `DatabaseUnusable` when they cannot be read: quotas that were never read would never be
 *   enforced
 */
export const openQuotas = Effect.fnUntraced(function* ({
  ACCOUNT_EVENTS_PER_MINUTE,
}: Pick<Configuration, "ACCOUNT_EVENTS_PER_MINUTE">) {
  const { control } = yield* Databases;
  const { makeTokenBuckets } = yield* Shared;
  const report = yield* makeFaultReport({
    task: "quotas",
    failing: "The quotas of accounts cannot be read: the last known ones stay in force",
    working: "The quotas of accounts are read again",
  });
  const all = readAccountQuotas(control);
  // Not observed yet: a fault that ends the start is logged where it ends it.
  let quotas = yield* untilDatabaseReady(all);
  const observed = observePort(
    { all },
    "account_quotas",
    { all: "not measured" },
    yield* Observers,
  );
  const refresh = Effect.map(observed.all, (read) => {
    quotas = read;
  });
  yield* Effect.forkScoped(Effect.repeat(report.watch(refresh), Schedule.spaced(QUOTAS_EVERY)));
  return makeQuotas(
    makeTokenBuckets(makeMemoryTokenBuckets()),
    (accountId) => quotas.get(accountId) ?? ACCOUNT_EVENTS_PER_MINUTE,
  );
});
