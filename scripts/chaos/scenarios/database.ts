import { setTimeout as delay } from "node:timers/promises";

import { SHARDS_DEFAULT } from "../../../core/event/shard.ts";
import { pick } from "../../testbed/choose.ts";
import type { DirectDatabase } from "../../testbed/direct_database.ts";
import { until } from "../../testbed/until.ts";
import type { Scenario } from "../scenario.ts";
import { fillDisk, freeDisk } from "../small_disk.ts";

const HELD_MAX_MS = 30_000;
const HELD_MIN_MS = 3_000;

/** Appends to a shard take turns. One that does not end blocks its shard only, and no position is lost. */
export const openAppendHoldsItsShard: Scenario = {
  name: "open-append-holds-its-shard",
  about: "a transaction that locks the head of a shard for up to 30 s while others commit",
  run: async (scene) => {
    const { database, random } = scene;
    const headsExcept = async (shard: number): Promise<number> => {
      const [row] = await database.query<{ events: string }>(
        "select sum(position) as events from tidemark.log_heads where shard <> $1",
        [shard],
      );
      return Number(row?.events);
    };
    await scene.repeat(async () => {
      const shard = Math.floor(random() * SHARDS_DEFAULT);
      const before = await headsExcept(shard);
      await database.session(async (client) => {
        await client.query("begin");
        await client.query("select from tidemark.log_heads where shard = $1 for update", [shard]);
        scene.broke();
        await delay(Math.min(HELD_MAX_MS, Math.max(HELD_MIN_MS, scene.leftMs())));
        await client.query("rollback");
      });
      const passed = (await headsExcept(shard)) - before;
      scene.note(`${passed} events were appended to other shards while one was locked`);
      if (passed === 0) scene.fail("nothing was appended to other shards while one was locked");
    });
  },
};

/** A statement whose session is terminated is rolled back, or committed without an answer; its sender retries. */
export const lostSessionLosesNothing: Scenario = {
  name: "lost-session-loses-nothing",
  about: "pg_terminate_backend of the service's sessions, several a second",
  run: async ({ database, killed, random, repeat, rest }) => {
    await repeat(async () => {
      const pid = pick(random, await sessionsOf(database));
      await database.query("select pg_terminate_backend($1)", [pid]);
      killed();
      await rest(250);
    });
  },
};

/** When one of its processes crashes, the whole Postgres restarts. What was committed survives. */
export const crashedBackendLosesNothing: Scenario = {
  name: "crashed-backend-loses-nothing",
  about: "kill -9 of one backend of Postgres, which restarts the whole server",
  run: async ({ database, killed, random, repeat, rest }) => {
    await repeat(async () => {
      process.kill(pick(random, await sessionsOf(database)), "SIGKILL");
      killed();
      await rest(1_000);
    });
  },
};

/** The active sessions of the service, or all of them if none is active. */
const SESSIONS = `
  select pid from pg_stat_activity
  where application_name = 'tidemark' and pid <> pg_backend_pid()
    and (state = 'active' or not exists (
      select from pg_stat_activity a
      where a.application_name = 'tidemark' and a.pid <> pg_backend_pid() and a.state = 'active'))
  order by pid`;

const SESSIONS_WITHIN_MS = 60_000;

/** The process ids of sessions to break, as soon as the database is available. */
const sessionsOf = async (database: DirectDatabase): Promise<ReadonlyArray<number>> => {
  let pids: ReadonlyArray<number> = [];
  await until(
    "the database lists sessions of the service",
    async () => {
      pids = (await database.query<{ pid: number }>(SESSIONS)).map(({ pid }) => pid);
      return pids.length > 0;
    },
    SESSIONS_WITHIN_MS,
  );
  return pids;
};

/** What was committed is on disk, and nothing else was accepted. */
export const databaseRestartLosesNothing: Scenario = {
  name: "database-restart-loses-nothing",
  about: "fast and immediate restarts of Postgres, and kill -9 of all of it",
  weight: 1.5,
  run: async (scene) => {
    await scene.repeat(async () => {
      await scene.postgres.restart(pick(scene.random, ["SIGINT", "SIGQUIT", "SIGKILL"]));
      scene.killed();
      await scene.rest(1_500);
    });
  },
};

/** The space on a full disk: less than Postgres needs next. */
const FREE_BYTES = 1_000_000;
const FULL_MS = 4_000;

/** A database that cannot write reports an error or crashes. Only what it wrote is accepted. */
export const fullDiskRefuses: Scenario = {
  name: "full-disk-refuses",
  about: "the disk of Postgres is filled to the last byte, and freed again",
  ownDisk: {
    megabytes: 512,
    postgresSettings: { shared_buffers: "64MB", min_wal_size: "32MB", max_wal_size: "64MB" },
  },
  run: async (scene) => {
    const { diskFolder } = scene;
    if (diskFolder === undefined) return;
    await scene.repeat(async () => {
      await scene.rest(1_000);
      await fillDisk(diskFolder, FREE_BYTES);
      scene.broke();
      await delay(FULL_MS);
      await freeDisk(diskFolder);
      await scene.postgres.started();
      await scene.roles.api.ready();
    });
  },
};
