import { setTimeout as delay } from "node:timers/promises";

import { pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { APPEND, SETTLE } from "../statements.ts";

/** Longer than the queue waits for a sign of life (10 s) and looks for the missing (every 2 s). */
const FROZEN_MS = 14_000;
const MOMENT_WITHIN_MS = 5_000;

/**
 * A worker that is silent for too long loses its jobs to another one, and then wakes up and goes on with
 * them: its appends find their events in the log, and its settling finds another attempt.
 */
export const frozenWorkerIsFenced: Scenario = {
  name: "frozen-worker-is-fenced",
  about:
    "SIGSTOP of one of two workers with jobs in hand until they are handed out again, then SIGCONT",
  weight: 1.5,
  run: async (scene) => {
    const workers = [scene.roles.worker, await scene.another("worker")];
    await scene.repeat(async () => {
      const worker = pick(scene.random, workers);
      const [moment, statement] = pick(scene.random, [
        ["unsent", APPEND],
        ["uncommitted", APPEND],
        ["unanswered", APPEND],
        ["unsent", SETTLE],
        ["unanswered", SETTLE],
      ] as const);
      const caught = await worker.link.catchAt(moment, statement, MOMENT_WITHIN_MS);
      scene.aimed(caught !== undefined);
      worker.signal("SIGSTOP");
      scene.broke();
      await delay(FROZEN_MS);
      caught?.release();
      worker.signal("SIGCONT");
    });
  },
};
