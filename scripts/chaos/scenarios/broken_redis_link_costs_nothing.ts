import { breakLink } from "../break_link.ts";
import type { Scenario } from "../scenario.ts";

/** A Redis that cannot be reached, or only sometimes, is a Redis that is away. */
export const brokenRedisLinkCostsNothing: Scenario = {
  name: "broken-redis-link-costs-nothing",
  about: "stalls, half-open connections, latency and resets between the processes and Redis",
  needs: "redis",
  readsNeverFail: true,
  run: async (scene) => {
    const { redis } = scene;
    if (redis === undefined) return;
    await scene.repeat(async () => {
      scene.broke();
      await breakLink(redis.link, scene.random);
      await scene.rest(500);
    });
  },
};
