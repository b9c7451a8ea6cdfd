import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { STEP } from "../statements.ts";

/** The counts and the checkpoint move in one transaction: a projector that dies counts all or nothing. */
export const foldAndCheckpointAreOne: Scenario = {
  name: "fold-and-checkpoint-are-one",
  about: "kill -9 of the projector before a fold, between fold and commit, and after the commit",
  weight: 2,
  run: async (scene) => {
    const { projector } = scene.roles;
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["unsent", "uncommitted", "unanswered"] as const);
      await scene.killAt(projector, moment, STEP);
      await scene.rest(300);
    });
  },
};
