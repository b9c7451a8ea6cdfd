import { breakLink } from "../break_link.ts";
import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";

/** Between a process and the database bytes come late, not at all, or the connection is dead and nobody says so. */
export const brokenLinkLosesNothing: Scenario = {
  name: "broken-link-loses-nothing",
  about: "stalls, half-open connections, latency and resets between the processes and Postgres",
  weight: 1.5,
  run: async (scene) => {
    const links = Object.values(scene.roles).map(({ link }) => link);
    await scene.repeat(async () => {
      scene.broke();
      await breakLink(pick(scene.random, links), scene.random);
      await scene.rest(500);
    });
  },
};
