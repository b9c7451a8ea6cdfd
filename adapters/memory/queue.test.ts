import { Clock, Effect } from "effect";

import { queueConformance } from "../../core/queue/queue.conformance.ts";
import { makeSignal } from "../../core/signal.ts";
import { makeMemoryQueue } from "./queue.ts";

const LEASE_MS = 60_000;

queueConformance("memory", async () => {
  const retriesMax = 2;
  const queue = makeMemoryQueue({ queued: makeSignal(), retriesMax, leaseMs: LEASE_MS });
  let aheadMs = 0;
  const system = await Effect.runPromise(Clock.Clock);
  const clock: Clock.Clock = Object.assign(Object.create(system), {
    currentTimeMillis: Effect.sync(() => system.currentTimeMillisUnsafe() + aheadMs),
  });
  const at = Effect.provideService(Clock.Clock, clock);
  return {
    queue: {
      enqueue: (batch, priority) => at(queue.enqueue(batch, priority)),
      fetch: (eventsMax) => at(queue.fetch(eventsMax)),
      acknowledge: (acknowledgements) => at(queue.acknowledge(acknowledgements)),
      heartbeat: (jobs) => at(queue.heartbeat(jobs)),
      find: queue.find,
      backlog: at(queue.backlog),
    },
    retriesMax,
    lapseClaims: async () => {
      aheadMs += LEASE_MS;
    },
    passTime: async () => {
      aheadMs += LEASE_MS * 0.75;
    },
    makeRetriesDue: async () => {},
    close: async () => {},
  };
});
