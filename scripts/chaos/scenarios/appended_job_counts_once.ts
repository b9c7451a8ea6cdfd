import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { APPEND, SETTLE } from "../statements.ts";

/**
 * The worker appends first and settles second. Whoever dies between the two leaves jobs whose events are
 * in the log already, and which come again.
 */
export const appendedJobCountsOnce: Scenario = {
  name: "appended-job-counts-once",
  about: "kill -9 of the worker after an append, before or while it settles the job",
  weight: 2,
  run: async (scene) => {
    const { worker } = scene.roles;
    await scene.repeat(async () => {
      const [moment, statement] = pick(scene.random, [
        ["unanswered", APPEND],
        ["unsent", SETTLE],
        ["uncommitted", SETTLE],
        ["unanswered", SETTLE],
      ] as const);
      await scene.killAt(worker, moment, statement);
      await scene.rest(400);
    });
  },
};
