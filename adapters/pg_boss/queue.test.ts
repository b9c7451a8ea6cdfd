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
  /** What the supervisor does every few seconds, however short ago it did it. */
  const supervise = async (): Promise<void> => {
    await execute(`update ${QUEUE_SCHEMA}.queue set monitor_claim_on = null, monitor_on = null`);
    await boss.supervise(EVENTS_QUEUE);
  };
  return {
    queue: makePgBossQueue({
      diagnose: () => "away",
      boss,
      execute,
      executeRead: execute,
      executeControl: execute,
      history: () => 0,
      executeIn: () => execute,
      queued: makeSignal(),
      bufferBytesMax: 33_554_432,
    }),
    retriesMax,
    lapseClaims: async () => {
      // As if the worker had been silent for an hour.
      await execute(
        `update ${job} set heartbeat_on = heartbeat_on - interval '1 hour' where state = 'active'`,
      );
      await supervise();
    },
    passTime: async () => {
      await execute(
        `update ${job} set heartbeat_on = heartbeat_on - heartbeat_seconds * interval '0.75 s' where state = 'active'`,
      );
      await supervise();
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
