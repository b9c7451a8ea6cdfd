import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { STEP } from "../statements.ts";

/** The lock on a shard's checkpoint is the lease: of any number of projectors one folds, and any may die. */
export const projectorsTakeTurns: Scenario = {
  name: "projectors-take-turns",
  about: "two projectors at once, each killed in the middle of a fold",
  run: async (scene) => {
    const projectors = [scene.roles.projector, await scene.another("projector")];
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["unsent", "uncommitted", "unanswered"] as const);
      await scene.killAt(pick(scene.random, projectors), moment, STEP);
      await scene.rest(500);
    });
  },
};
