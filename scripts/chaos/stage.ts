import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Settings } from "../../adapters/embedded_postgres/settings.ts";
import { seededRandom } from "../shared/random.ts";
import type { Cleanups } from "./cleanups.ts";
import { type DirectDatabase, openDirectDatabase } from "./direct_database.ts";
import { type FaultProxy, startFaultProxy } from "./fault_proxy.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { endlessActivity, type LoadGenerator, makeLoadGenerator } from "./load_generator.ts";
import { type PostgresServer, startPostgresServer } from "./postgres_server.ts";
import { prepareDatabase } from "./prepare.ts";
import { hasRedis, type RedisServer, startRedisServer } from "./redis_server.ts";
import { type Role, type RoleOptions, startRole } from "./role.ts";

type RoleName = RoleOptions["role"];

/** A Redis and the one link that all processes have to it. */
export interface RedisOnStage {
  readonly server: RedisServer;
  readonly link: FaultProxy;
}

/** The real thing, to be broken: each process of the service has links of its own, which can break apart. */
export interface Stage {
  readonly postgres: PostgresServer;
  readonly database: DirectDatabase;
  /** Undefined where the machine has none. */
  readonly redis: RedisOnStage | undefined;
  readonly roles: Readonly<Record<RoleName, Role>>;
  /** Starts one more process of a role. */
  readonly another: (role: RoleName) => Promise<Role>;
  readonly ledger: Ledger;
  readonly load: LoadGenerator;
  /** What the scenarios so far have provoked on purpose; the judge expects exactly that. */
  readonly provoked: { readonly poisonEvents: Set<string>; readonly deadJobs: Set<string> };
  /** Where logs and the ledger are. */
  readonly folder: string;
}

export interface StageOptions {
  readonly seed: number;
  /** Where the database is; a folder of the stage's own unless told. */
  readonly dataDir?: string;
  readonly postgresSettings?: Settings;
  /** Everything that is started is undone by these. */
  readonly cleanups: Cleanups;
  /** Whether a stage that is torn down leaves its logs and its ledger behind. */
  readonly keep: () => boolean;
}

/** Starts a Postgres, a Redis, and a process for each role, on a new database. */
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

  const redis = hasRedis() ? await startRedis(folder, cleanups) : undefined;
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

const startRedis = async (folder: string, cleanups: Cleanups): Promise<RedisOnStage> => {
  const server = await startRedisServer(folder);
  cleanups.add(server.kill);
  const link = await startFaultProxy({ targetPort: server.port, protocol: "opaque" });
  cleanups.add(link.close);
  return { server, link };
};
