import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { sessionsOf } from "../sessions.ts";

/** Postgres restarts all of itself when one of its processes crashes: what was committed is there. */
export const crashedBackendLosesNothing: Scenario = {
  name: "crashed-backend-loses-nothing",
  about: "kill -9 of one backend of Postgres, which restarts the whole server",
  run: async ({ database, killed, random, repeat, rest }) => {
    await repeat(async () => {
      process.kill(pick(random, await sessionsOf(database)), "SIGKILL");
      killed();
      await rest(1_000);
    });
  },
};
