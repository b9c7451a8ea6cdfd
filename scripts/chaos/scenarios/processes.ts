import { fileURLToPath } from "node:url";

import { DAY_MS, MINUTE_MS } from "../../../core/time.ts";
import { inTurn, pick } from "../../testbed/choose.ts";
import type { Scenario } from "../scenario.ts";

const SKEWED_CLOCK = fileURLToPath(new URL("../skewed_clock_process.ts", import.meta.url));

/** An API refuses events from the future, so its clock must not be far behind. */
const API_SKEWS = [-2 * MINUTE_MS, 3 * MINUTE_MS, 120 * MINUTE_MS];
const SKEWS = [-30 * DAY_MS, -120 * MINUTE_MS, 120 * MINUTE_MS, 30 * DAY_MS];

/** The database decides which events exist and how often they count, whatever the clock of a process shows. */
export const clocksMayDisagree: Scenario = {
  name: "clocks-may-disagree",
  about: "processes with clocks that are wrong by minutes up to a month, and jump every second",
  run: async (scene) => {
    const { api, worker, projector } = scene.roles;
    const all = [api, worker, projector];
    await scene.repeat(async () => {
      const role = pick(scene.random, all);
      const skewMs = pick(scene.random, role === api ? API_SKEWS : SKEWS);
      role.configure({ NODE_OPTIONS: `--import=${SKEWED_CLOCK}`, CHAOS_SKEW_MS: String(skewMs) });
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

/** SIGTERM shuts a process down gracefully: requests in flight are answered, jobs in flight are finished. */
export const rollingRestartDropsNothing: Scenario = {
  name: "rolling-restart-drops-nothing",
  about: "SIGTERM of one process after another: two APIs, a worker and a projector",
  brokenRequestMaxMs: 100,
  run: async (scene) => {
    const { api, worker, projector } = scene.roles;
    const second = await scene.another("api");
    scene.load.sendTo([api.url, second.url]);
    const order = [api, second, worker, projector];
    let turn = 0;
    await scene.repeat(async () => {
      const role = inTurn(order, turn++);
      const ending = await role.terminate();
      if (ending !== 0) scene.fail(`${role.name} ended with ${ending} after SIGTERM`);
      scene.broke();
      await role.ready();
      await scene.rest(300);
    });
    scene.load.sendTo([api.url]);
  },
};
