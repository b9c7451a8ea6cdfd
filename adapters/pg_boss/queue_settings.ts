import type { PgBoss, QueueOptions } from "pg-boss";

/** The schema that pg-boss keeps its tables in. */
export const QUEUE_SCHEMA = "tidemark_queue";

/** The queue of accepted batches. */
export const EVENTS_QUEUE = "events";

/** Where jobs go whose every attempt failed. They stay until somebody deals with them. */
export const DEAD_LETTER_QUEUE = "events_dead_letter";

/** How long a job that ended can be asked about. Its row, payload included, takes space until then. */
const JOB_KEPT_SECONDS = 15 * 60;

// pg-boss's defaults (2 retries, a dead worker noticed after 15 minutes) do not keep a durability
// promise. These notice one after HEARTBEAT_SECONDS and go on trying for about two hours.
const HEARTBEAT_SECONDS = 10;

const EVENTS_OPTIONS = {
  retryLimit: 30,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 300,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: 120,
  // What was accepted is never dropped for waiting too long.
  retentionSeconds: 365 * 86_400,
  deleteAfterSeconds: JOB_KEPT_SECONDS,
} satisfies QueueOptions;

const DEAD_LETTER_OPTIONS = {
  retentionSeconds: 10 * 365 * 86_400,
  // 0 means never.
  deleteAfterSeconds: 0,
} satisfies QueueOptions;

/** Creates the queues, or brings them to these settings. Needs no more than rights on the tables. */
export const installQueues = async (boss: PgBoss): Promise<void> => {
  // The dead letter queue first: the other one refers to it.
  await boss.createQueue(DEAD_LETTER_QUEUE, DEAD_LETTER_OPTIONS);
  await boss.createQueue(EVENTS_QUEUE, { ...EVENTS_OPTIONS, deadLetter: DEAD_LETTER_QUEUE });
  await boss.updateQueue(DEAD_LETTER_QUEUE, DEAD_LETTER_OPTIONS);
  await boss.updateQueue(EVENTS_QUEUE, { ...EVENTS_OPTIONS, deadLetter: DEAD_LETTER_QUEUE });
};
