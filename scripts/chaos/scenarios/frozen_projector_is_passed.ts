import { setTimeout as delay } from "node:timers/promises";

import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { STEP } from "../statements.ts";

const FROZEN_MAX_MS = 60_000;
const FROZEN_MIN_MS = 3_000;
const MOMENT_WITHIN_MS = 5_000;

/** A projector that stands still with a lease in its hand holds up one shard; what it then does is no harm. */
export const frozenProjectorIsPassed: Scenario = {
  name: "frozen-projector-is-passed",
  about: "SIGSTOP of a projector between fold and commit, for up to a minute, then SIGCONT",
  run: async (scene) => {
    await scene.another("projector");
    const { projector } = scene.roles;
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["unsent", "uncommitted", "unanswered"] as const);
      const caught = await projector.link.catchAt(moment, STEP, MOMENT_WITHIN_MS);
      scene.aimed(caught !== undefined);
      projector.signal("SIGSTOP");
      scene.broke();
      await delay(Math.min(FROZEN_MAX_MS, Math.max(FROZEN_MIN_MS, scene.leftMs())));
      caught?.release();
      projector.signal("SIGCONT");
      await scene.rest(500);
    });
  },
};
