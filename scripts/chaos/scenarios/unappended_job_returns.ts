import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { APPEND, TAKE } from "../statements.ts";

/** A job is in the hands of a worker that dies before its events are in the log: it must come again. */
export const unappendedJobReturns: Scenario = {
  name: "unappended-job-returns",
  about: "kill -9 of the worker before an append reaches the log, or before it commits",
  weight: 2,
  run: async (scene) => {
    const { worker } = scene.roles;
    await scene.repeat(async () => {
      const [moment, statement] = pick(scene.random, [
        ["unanswered", TAKE],
        ["unsent", APPEND],
        ["uncommitted", APPEND],
      ] as const);
      await scene.killAt(worker, moment, statement);
      await scene.rest(400);
    });
  },
};
