import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { STEP } from "../statements.ts";

/** Whichever is not caught so soon has nothing to fold, for the other one has the leases. */
const MOMENT_WITHIN_MS = 1_000;

/** The lock on a shard's checkpoint is the lease: of any number of projectors one folds, and any may die. */
export const projectorsTakeTurns: Scenario = {
  name: "projectors-take-turns",
  about: "two projectors at once, each killed in the middle of a fold, or both together",
  run: async (scene) => {
    const projectors = [scene.roles.projector, await scene.another("projector")];
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["unsent", "uncommitted", "unanswered"] as const);
      const met = await Promise.all(
        projectors.map(async (projector) => {
          const caught = await projector.link.catchAt(moment, STEP, MOMENT_WITHIN_MS);
          if (caught === undefined) return false;
          const ended = projector.kill();
          caught.cut();
          scene.killed();
          await ended;
          return true;
        }),
      );
      scene.aimed(met.includes(true));
      await scene.rest(200);
    });
  },
};
