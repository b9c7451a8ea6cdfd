import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Settings } from "../../adapters/embedded_postgres/settings.ts";
import { seededRandom } from "../shared/random.ts";
import { redisMissing, type RedisServer, startRedisServer } from "../test/redis_server.ts";
import type { Cleanups } from "../testbed/cleanups.ts";
import { type DirectDatabase, openDirectDatabase } from "../testbed/direct_database.ts";
import { prepareDatabase } from "../testbed/service_process.ts";
import { type FaultProxy, startFaultProxy } from "./fault_proxy.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { endlessActivity, type LoadGenerator, makeLoadGenerator } from "./load_generator.ts";
import { type PostgresServer, startPostgresServer } from "./postgres_server.ts";
import { type Role, type RoleOptions, startRole } from "./role.ts";

type RoleName = RoleOptions["role"];

/** A Redis, and the one link that all processes use to reach it. */
interface RedisOnStage {
  readonly server: RedisServer;
  readonly link: FaultProxy;
}

/** A running service to break. Each process has its own link to the database, which can break separately. */
export interface Stage {
  readonly postgres: PostgresServer;
  readonly database: DirectDatabase;
  /** Undefined if this machine has no Redis. */
  readonly redis: RedisOnStage | undefined;
  readonly roles: Readonly<Record<RoleName, Role>>;
  /** Starts one more process of a role. */
  readonly another: (role: RoleName) => Promise<Role>;
  readonly ledger: Ledger;
  readonly load: LoadGenerator;
  /** What scenarios provoked so far on purpose: the judge expects exactly that. */
  readonly provoked: { readonly poisonEvents: Set<string>; readonly deadJobs: Set<string> };
  /** The folder of the logs and the ledger. */
  readonly folder: string;
}

export interface StageOptions {
  readonly seed: number;
  /** The folder of the database, unless it is within that of the stage. */
  readonly dataDir?: string;
  readonly postgresSettings?: Settings;
  readonly cleanups: Cleanups;
  /** Whether to keep the logs and the ledger when the stage is torn down. */
  readonly keep: () => boolean;
}

/** Starts a Postgres with a new database, a Redis, and one process for each role. */
export const buildStage = async (options: StageOptions): Promise<Stage> => {
  const { seed, cleanups, keep } = options;
  const folder = await mkdtemp(join(tmpdir(), "tidemark-chaos-"));
  cleanups.add(async () => {
    if (!keep()) await rm(folder, { recursive: true, force: true });
  });
  const links = new Set<FaultProxy>();
  let postgresPort = 0;

  const postgres = await startPostgresServer({
    dataDir: options.dataDir ?? join(folder, "data"),
    settings: options.postgresSettings ?? {},
    onPort: (port) => {
      postgresPort = port;
      for (const link of links) link.retarget(port);
    },
  });
  cleanups.add(postgres.close);
  const database = openDirectDatabase(postgres.url);
  cleanups.add(database.close);

  const redis = redisMissing === undefined ? await startRedis(cleanups) : undefined;
  const redisVariables: Readonly<Record<string, string>> =
    redis === undefined ? {} : { REDIS_URL: `redis://127.0.0.1:${redis.link.port}/0` };

  const start = async (role: RoleName, name: string): Promise<Role> => {
    const link = await startFaultProxy({ targetPort: postgresPort, protocol: "postgres" });
    links.add(link);
    cleanups.add(link.close);
    const url = new URL(postgres.url());
    url.port = String(link.port);
    const started = await startRole({
      role,
      name,
      link,
      environment: { DATABASE_URL: url.href, MIGRATE_ON_START: "false", ...redisVariables },
      logPath: join(folder, `${name}.log`),
    });
    cleanups.add(started.close);
    return started;
  };

  await prepareDatabase(postgres.url());
  const roles = {
    api: await start("api", "api"),
    worker: await start("worker", "worker"),
    projector: await start("projector", "projector"),
  };
  await Promise.all(Object.values(roles).map(({ ready }) => ready()));

  const ledger = await openLedger(join(folder, "ledger.jsonl"));
  cleanups.add(ledger.close);
  const load = makeLoadGenerator({
    ledger,
    random: seededRandom(seed),
    events: endlessActivity(seed, Date.now()),
  });
  load.sendTo([roles.api.url]);
  cleanups.add(load.close);

  let others = 0;
  return {
    postgres,
    database,
    redis,
    roles,
    another: (role) => start(role, `${role}-${++others}`),
    ledger,
    load,
    provoked: { poisonEvents: new Set(), deadJobs: new Set() },
    folder,
  };
};

const startRedis = async (cleanups: Cleanups): Promise<RedisOnStage> => {
  const server = await startRedisServer();
  cleanups.add(server.close);
  const targetPort = Number(new URL(server.url).port);
  const link = await startFaultProxy({ targetPort, protocol: "opaque" });
  cleanups.add(link.close);
  return { server, link };
};
