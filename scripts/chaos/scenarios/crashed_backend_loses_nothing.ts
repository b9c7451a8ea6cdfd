import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { SESSIONS } from "../sessions.ts";
import { until } from "../until.ts";

const BACK_WITHIN_MS = 60_000;

/** Postgres restarts all of itself when one of its processes crashes: what was committed is there. */
export const crashedBackendLosesNothing: Scenario = {
  name: "crashed-backend-loses-nothing",
  about: "kill -9 of one backend of Postgres, which restarts the whole server",
  run: async ({ database, killed, random, repeat, rest }) => {
    await repeat(async () => {
      const sessions = await database.query<{ pid: number }>(SESSIONS);
      if (sessions.length > 0) {
        process.kill(pick(random, sessions).pid, "SIGKILL");
        killed();
      }
      const answers = async (): Promise<boolean> => (await database.query("select 1")).length === 1;
      await until("Postgres answers again", answers, BACK_WITHIN_MS);
      await rest(2_000);
    });
  },
};
