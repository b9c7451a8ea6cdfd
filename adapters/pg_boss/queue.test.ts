import { queueConformance } from "../../core/queue/queue.conformance.ts";
import { makeSignal } from "../../core/signal.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { startBoss } from "./boss.ts";
import { makePgBossQueue } from "./queue.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

queueConformance("pg-boss", async () => {
  const { execute, close } = await createMigratedDatabase();
  const boss = await startBoss({
    execute,
    supervise: false,
    onError: (error) => {
      throw error;
    },
  });
  // Few enough to be gone through in a test.
  const retriesMax = 2;
  await boss.updateQueue(EVENTS_QUEUE, { retryLimit: retriesMax });

  const job = `${QUEUE_SCHEMA}.job`;
  return {
    queue: makePgBossQueue({ boss, queued: makeSignal(), bufferEventsMax: 10_000 }),
    retriesMax,
    lapseClaims: async () => {
      // As if the worker had been silent for an hour; then what the supervisor does every few seconds.
      await execute(
        `update ${job} set heartbeat_on = heartbeat_on - interval '1 hour' where state = 'active'`,
      );
      await boss.supervise(EVENTS_QUEUE);
    },
    makeRetriesDue: async () => {
      await execute(`update ${job} set start_after = now() where state in ('retry', 'created')`);
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await close();
    },
  };
});
