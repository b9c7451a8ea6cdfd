import { setTimeout as delay } from "node:timers/promises";

import type { FaultProxy } from "./fault_proxy.ts";
import { pick, type Random } from "./random.ts";

/** How long a link is broken, in milliseconds; latency lasts as long. */
const BROKEN_MIN_MS = 300;
const BROKEN_MAX_MS = 3_000;
const LATENCY_MAX_MS = 200;

/** Breaks a link in some way for a while, and mends it. */
export const breakLink = async (link: FaultProxy, random: Random): Promise<void> => {
  const fault = pick(random, ["stalled", "gone", "slow", "reset"] as const);
  if (fault === "reset") {
    link.reset();
    return;
  }
  link.become(fault === "slow" ? { latencyMs: random() * LATENCY_MAX_MS } : fault);
  await delay(BROKEN_MIN_MS + random() * (BROKEN_MAX_MS - BROKEN_MIN_MS));
  link.become("up");
};
