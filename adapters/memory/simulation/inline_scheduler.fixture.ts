import type { Scheduler } from "effect";

/**
 * Runs what a fiber leaves for later as soon as the task at hand is over, in that order, and not in a
 * later turn of the event loop. So when a `TestClock` wakes a fiber, everything that comes of it has
 * happened before the clock goes on: exact, and several times as fast as waiting for it.
 */
export const makeInlineScheduler = (): Scheduler.Scheduler => {
  const tasks: (() => void)[] = [];
  let running = false;
  const flush = (): void => {
    if (running) return;
    running = true;
    try {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
    } finally {
      running = false;
    }
  };
  return {
    executionMode: "sync",
    // Fibers take turns where they wait, and only there.
    shouldYield: () => false,
    makeDispatcher: () => ({
      scheduleTask: (task) => {
        tasks.push(task);
        flush();
      },
      flush,
    }),
  };
};
