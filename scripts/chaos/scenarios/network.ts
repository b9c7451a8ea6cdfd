import { setTimeout as delay } from "node:timers/promises";

import { pick, type Random } from "../../testbed/choose.ts";
import type { FaultProxy } from "../fault_proxy.ts";
import type { Scenario } from "../scenario.ts";

/** How long a link is broken or slow, in milliseconds. */
const BROKEN_MIN_MS = 300;
const BROKEN_MAX_MS = 3_000;
const LATENCY_MAX_MS = 200;

/** Breaks a link for a while, and repairs it. */
const breakLink = async (link: FaultProxy, random: Random): Promise<void> => {
  const fault = pick(random, ["stalled", "gone", "slow", "reset"] as const);
  if (fault === "reset") {
    link.reset();
    return;
  }
  link.become(fault === "slow" ? { latencyMs: random() * LATENCY_MAX_MS } : fault);
  await delay(BROKEN_MIN_MS + random() * (BROKEN_MAX_MS - BROKEN_MIN_MS));
  link.become("up");
};

/** Bytes between a process and the database are late or lost, or the connection is half-open. */
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

/** Redis contains nothing that the database does not. Without it nothing fails, and no answer is wrong. */
export const redisIsDispensable: Scenario = {
  name: "redis-is-dispensable",
  about: "Redis killed and restarted, FLUSHALL, SIGSTOP and SIGCONT",
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
        await redis.server.run("FLUSHALL");
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

/** A Redis that is unreachable at times equals an unavailable one. */
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
