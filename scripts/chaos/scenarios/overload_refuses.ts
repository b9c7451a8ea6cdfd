import { setTimeout as delay } from "node:timers/promises";

import type { LoadProfile } from "../load_generator.ts";
import type { Scenario } from "../scenario.ts";

/** More than two cores can take, with the judge on them as well. */
const FLOOD: LoadProfile = { clients: 48, batchMax: 600, pauseMaxMs: 0, copiedShare: 0 };

/** More would only make the judge's work longer. */
const FLOOD_MAX_MS = 12_000;

/** Bounds that the flood passes within seconds. */
const BOUNDS = { ENQUEUE_BUFFER_BYTES_MAX: "4194304", QUEUE_DEPTH_MAX: "20000" };

/** What cannot be taken is refused with a 503, and not accepted and lost: not even when the database crashes. */
export const overloadRefuses: Scenario = {
  name: "overload-refuses",
  about: "a flood past every bound, while the worker stands still and Postgres crashes",
  load: FLOOD,
  run: async (scene) => {
    const { api, worker } = scene.roles;
    const partMs = Math.min(FLOOD_MAX_MS, scene.leftMs()) / 3;
    api.configure(BOUNDS);
    await api.kill();
    scene.killed();
    await api.ready();
    worker.signal("SIGSTOP");
    scene.broke();
    await delay(partMs);
    await scene.postgres.restart("SIGQUIT");
    scene.killed();
    await delay(partMs);
    worker.signal("SIGCONT");
    await delay(partMs);
    api.configure({});
    await api.kill();
    scene.killed();
  },
};
