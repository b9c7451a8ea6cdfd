import type { PgBoss, QueueOptions } from "pg-boss";

/** The schema of pg-boss's tables. */
export const QUEUE_SCHEMA = "tidemark_queue";

/** The queue of accepted batches. */
export const EVENTS_QUEUE = "events";

/** The queue of jobs whose every attempt failed. They stay until an operator handles them. */
export const DEAD_LETTER_QUEUE = "events_dead_letter";

/** The most events in one row: it must be cheap to insert, and to hold during its append. */
export const ROW_EVENTS_MAX = 1_000;

/** The most bytes (`bytesIn`) of batches that share a row: as many as a request may have. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** How long clients can look up an ended job. Its row takes space until then. */
const JOB_KEPT_SECONDS = 15 * 60;

// pg-boss's defaults (2 retries, a dead worker noticed after 15 minutes) cannot guarantee that
// every accepted event is counted. With these a dead worker is noticed after HEARTBEAT_SECONDS, and
// retries continue for about two hours.
const HEARTBEAT_SECONDS = 10;

const EVENTS_OPTIONS = {
  retryLimit: 30,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 300,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: 120,
  // Accepted events are never dropped for waiting too long.
  retentionSeconds: 365 * 86_400,
  deleteAfterSeconds: JOB_KEPT_SECONDS,
} satisfies QueueOptions;

const DEAD_LETTER_OPTIONS = {
  retentionSeconds: 10 * 365 * 86_400,
  // 0 means never.
  deleteAfterSeconds: 0,
} satisfies QueueOptions;

/** Creates the queues or updates their settings. Needs only rights on the tables. */
export const installQueues = async (boss: PgBoss): Promise<void> => {
  // The dead letter queue first: the events queue refers to it.
  await boss.createQueue(DEAD_LETTER_QUEUE, DEAD_LETTER_OPTIONS);
  await boss.createQueue(EVENTS_QUEUE, { ...EVENTS_OPTIONS, deadLetter: DEAD_LETTER_QUEUE });
  await boss.updateQueue(DEAD_LETTER_QUEUE, DEAD_LETTER_OPTIONS);
  await boss.updateQueue(EVENTS_QUEUE, { ...EVENTS_OPTIONS, deadLetter: DEAD_LETTER_QUEUE });
};
