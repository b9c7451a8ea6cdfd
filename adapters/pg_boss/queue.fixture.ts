import { Effect } from "effect";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeSignal } from "../../core/signal.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { type ExecuteSql, startBoss } from "./boss.ts";
import { makePgBossQueue, type PgBossQueueOptions } from "./queue.ts";
import { QUEUE_SCHEMA } from "./queue_settings.ts";

/** A batch of one event. */
export const aBatch = (eventId = "1") => ({
  events: [anEvent({ eventId })],
  duplicates: 0,
  conflicts: 0,
});

/** Opens a queue in a database of its own, without a supervisor. */
export const openQueue = async (
  optionsWith: (execute: ExecuteSql) => Partial<PgBossQueueOptions> = () => ({}),
) => {
  const { url, execute, close } = await createMigratedDatabase();
  const boss = await startBoss({
    execute,
    supervise: false,
    onError: (error) => {
      throw error;
    },
  });
  const queue = makePgBossQueue({
    diagnose: () => "away",
    boss,
    execute,
    executeRead: execute,
    executeControl: execute,
    history: () => 0,
    executeIn: () => execute,
    queued: makeSignal(),
    bufferBytesMax: 33_554_432,
    ...optionsWith(execute),
  });
  return {
    url,
    execute,
    boss,
    queue,
    enqueue: (eventId?: string) => Effect.runPromise(queue.enqueue(aBatch(eventId))),
    fetch: () => Effect.runPromise(queue.fetch(1_000)),
    /** Ends the backoff of every retry. */
    makeRetriesDue: async (): Promise<void> => {
      await execute(
        `update ${QUEUE_SCHEMA}.job set start_after = now() where state in ('retry', 'created')`,
      );
    },
    close: async (): Promise<void> => {
      await boss.stop({ graceful: false });
      await close();
    },
  };
};
