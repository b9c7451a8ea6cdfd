import { fileURLToPath } from "node:url";

import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";

const PRELOAD = fileURLToPath(new URL("../skewed_clock_process.ts", import.meta.url));

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

/** An API checks that events are not from the future, so that its clock may not be far behind. */
const API_SKEWS = [-2 * MINUTE_MS, 3 * MINUTE_MS, 120 * MINUTE_MS];
const SKEWS = [-30 * DAY_MS, -120 * MINUTE_MS, 120 * MINUTE_MS, 30 * DAY_MS];

/** Which events there are and how often they count is decided in the database, whatever a process's clock says. */
export const clocksMayDisagree: Scenario = {
  name: "clocks-may-disagree",
  about: "processes whose clocks are off by minutes to a month, and jump every second",
  run: async (scene) => {
    const { api, worker, projector } = scene.roles;
    const all = [api, worker, projector];
    await scene.repeat(async () => {
      const role = pick(scene.random, all);
      const skewMs = pick(scene.random, role === api ? API_SKEWS : SKEWS);
      role.configure({ NODE_OPTIONS: `--import=${PRELOAD}`, CHAOS_SKEW_MS: String(skewMs) });
      await role.kill();
      scene.killed();
      await role.ready();
      await scene.rest(2_000);
    });
    for (const role of all) role.configure({});
    await Promise.all(all.map((role) => role.kill()));
    await Promise.all(all.map((role) => role.ready()));
  },
};
