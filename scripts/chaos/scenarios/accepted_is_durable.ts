import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { ENQUEUE } from "../statements.ts";

/** A 202 is sent after the commit, so that an API which dies at any moment takes nothing with it. */
export const acceptedIsDurable: Scenario = {
  name: "accepted-is-durable",
  about: "kill -9 of the API before, in and after the commit behind a 202, and at any moment",
  weight: 2.5,
  run: async (scene) => {
    const { api } = scene.roles;
    await scene.repeat(async () => {
      const moment = pick(scene.random, ["any", "unsent", "uncommitted", "unanswered"] as const);
      if (moment === "any") {
        await api.kill();
        scene.killed();
      } else await scene.killAt(api, moment, ENQUEUE);
      await api.ready();
      await scene.rest(200);
    });
  },
};
