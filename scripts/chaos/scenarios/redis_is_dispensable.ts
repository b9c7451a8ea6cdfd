import { pick } from "../random.ts";
import { flushRedis } from "../redis_server.ts";
import type { Scenario } from "../scenario.ts";

/** Redis holds nothing that the database does not. Without it nothing fails, and nothing is wrong. */
export const redisIsDispensable: Scenario = {
  name: "redis-is-dispensable",
  about: "Redis killed and started again, FLUSHALL, SIGSTOP and SIGCONT",
  needs: "redis",
  readsNeverFail: true,
  run: async (scene) => {
    const { redis } = scene;
    if (redis === undefined) return;
    await scene.repeat(async () => {
      const fault = pick(scene.random, ["kill", "flush", "stop"]);
      if (fault === "kill") {
        await redis.server.kill();
        scene.killed();
        await scene.rest(1_000);
        await redis.server.start();
      } else if (fault === "flush") {
        await flushRedis(redis.server.port);
        scene.broke();
      } else {
        redis.server.signal("SIGSTOP");
        scene.broke();
        await scene.rest(2_000);
        redis.server.signal("SIGCONT");
      }
      await scene.rest(700);
    });
  },
};
