import { setTimeout as delay } from "node:timers/promises";

import { pick } from "../../testbed/choose.ts";
import { type Scenario, STEP } from "../scenario.ts";

const MOMENTS = ["unsent", "uncommitted", "unanswered"] as const;

/** Counts and checkpoint move in one transaction: a projector that dies counts a slice completely or not at all. */
export const foldAndCheckpointAreOne: Scenario = {
  name: "fold-and-checkpoint-are-one",
  about: "kill -9 of the projector before a fold, between fold and commit, and after the commit",
  weight: 2,
  run: async (scene) => {
    const { projector } = scene.roles;
    await scene.repeat(async () => {
      await scene.killAt(projector, pick(scene.random, MOMENTS), STEP);
      await scene.rest(300);
    });
  },
};

/** A projector that is not caught in this time has nothing to fold, because the other one has the leases. */
const CATCH_WITHIN_MS = 1_000;

/** The lock on the checkpoint of a shard is its lease: only one projector folds it, and each of them may die. */
export const projectorsTakeTurns: Scenario = {
  name: "projectors-take-turns",
  about: "two concurrent projectors, one or both killed in the middle of a fold",
  run: async (scene) => {
    const projectors = [scene.roles.projector, await scene.another("projector")];
    await scene.repeat(async () => {
      const moment = pick(scene.random, MOMENTS);
      const met = await Promise.all(
        projectors.map(async (projector) => {
          const caught = await projector.link.catchAt(moment, STEP, CATCH_WITHIN_MS);
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

const FROZEN_MAX_MS = 60_000;
const FROZEN_MIN_MS = 3_000;
const FREEZE_WITHIN_MS = 5_000;

/** A frozen projector with a lease blocks one shard, and does no harm when it continues. */
export const frozenProjectorIsPassed: Scenario = {
  name: "frozen-projector-is-passed",
  about: "SIGSTOP of a projector between fold and commit, for up to a minute, then SIGCONT",
  run: async (scene) => {
    await scene.another("projector");
    const { projector } = scene.roles;
    await scene.repeat(async () => {
      const moment = pick(scene.random, MOMENTS);
      const caught = await projector.link.catchAt(moment, STEP, FREEZE_WITHIN_MS);
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
