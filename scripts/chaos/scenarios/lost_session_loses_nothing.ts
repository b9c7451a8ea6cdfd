import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { SESSIONS } from "../sessions.ts";

/** A statement whose session is ended is undone, or done and unanswered; whoever sent it sends it again. */
export const lostSessionLosesNothing: Scenario = {
  name: "lost-session-loses-nothing",
  about: "pg_terminate_backend of the service's sessions, several a second",
  run: async (scene) => {
    await scene.repeat(async () => {
      const sessions = await scene.database.query<{ pid: number }>(SESSIONS);
      if (sessions.length > 0) {
        const { pid } = pick(scene.random, sessions);
        await scene.database.query("select pg_terminate_backend($1)", [pid]);
        scene.killed();
      }
      await scene.rest(400);
    });
  },
};
