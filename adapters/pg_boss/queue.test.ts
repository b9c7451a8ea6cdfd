import { queueConformance } from "../../core/queue/queue.conformance.ts";
import { openQueue } from "./queue.fixture.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

queueConformance("pg-boss", async () => {
  const { boss, queue, execute, makeRetriesDue, close } = await openQueue();
  // Few enough for a test to go through all of them.
  const retriesMax = 2;
  await boss.updateQueue(EVENTS_QUEUE, { retryLimit: retriesMax });

  /** As if every active job's last heartbeat were this much older, and the supervisor ran. */
  const passTime = async (interval: string): Promise<void> => {
    await execute(
      `update ${QUEUE_SCHEMA}.job set heartbeat_on = heartbeat_on - ${interval} where state = 'active'`,
    );
    // The supervisor would skip a queue that it checked a moment ago.
    await execute(`update ${QUEUE_SCHEMA}.queue set monitor_claim_on = null, monitor_on = null`);
    await boss.supervise(EVENTS_QUEUE);
  };
  return {
    queue,
    retriesMax,
    lapseClaims: () => passTime("interval '1 hour'"),
    passTime: () => passTime("heartbeat_seconds * interval '0.75 s'"),
    makeRetriesDue,
    close,
  };
});
