import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { sessionsOf } from "../sessions.ts";

/** A statement whose session is ended is undone, or done and unanswered; whoever sent it sends it again. */
export const lostSessionLosesNothing: Scenario = {
  name: "lost-session-loses-nothing",
  about: "pg_terminate_backend of the service's sessions, several a second",
  run: async ({ database, killed, random, repeat, rest }) => {
    await repeat(async () => {
      const pid = pick(random, await sessionsOf(database));
      await database.query("select pg_terminate_backend($1)", [pid]);
      killed();
      await rest(250);
    });
  },
};
