import { setTimeout as delay } from "node:timers/promises";

import type { Scenario } from "../scenario.ts";
import { fillDisk, freeDisk } from "../small_disk.ts";

/** What is left when the disk counts as full: less than Postgres wants next. */
const FREE_BYTES = 1_000_000;

/** How long the disk is full. */
const FULL_MS = 4_000;

/** A database that cannot write says so, or crashes; nothing is accepted that it has not written. */
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
