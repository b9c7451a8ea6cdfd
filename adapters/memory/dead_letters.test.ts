import { deadLettersConformance } from "../../core/queue/dead_letters.conformance.ts";
import { makeSignal } from "../../core/signal.ts";
import { makeMemoryDeadLetters } from "./dead_letters.ts";
import { makeMemoryQueue, type MemoryJobs } from "./queue.ts";

deadLettersConformance("memory", async () => {
  const jobs: MemoryJobs = new Map();
  return {
    queue: makeMemoryQueue({ queued: makeSignal(), retriesMax: 1, leaseMs: 60_000 }, jobs),
    letters: makeMemoryDeadLetters(jobs),
    makeRetriesDue: async () => {},
    close: async () => {},
  };
});
