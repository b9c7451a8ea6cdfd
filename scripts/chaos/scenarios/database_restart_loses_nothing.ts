import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";

/** What was committed is on disk, and nobody was told of anything else. */
export const databaseRestartLosesNothing: Scenario = {
  name: "database-restart-loses-nothing",
  about: "fast and immediate restarts of Postgres, and kill -9 of all of it",
  weight: 1.5,
  run: async (scene) => {
    await scene.repeat(async () => {
      await scene.postgres.restart(pick(scene.random, ["SIGINT", "SIGQUIT", "SIGKILL"]));
      scene.killed();
      await scene.rest(1_500);
    });
  },
};
