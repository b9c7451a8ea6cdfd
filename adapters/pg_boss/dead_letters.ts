import type { PgBoss } from "pg-boss";

import type { Batch } from "../../core/event/batch.ts";
import type { JobId } from "../../core/queue/queue.ts";
import type { ExecuteSql } from "./boss.ts";
import { decodePayload, type Payload } from "./payload.ts";
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

/** A row whose every attempt failed: one job, or several that shared the row when their worker died. */
export interface DeadLetter {
  /** The id of the job; that of a row which held several jobs ends in 000. */
  readonly id: JobId;
  /** How many events it holds; null when the row is not one of ours. */
  readonly events: number | null;
  readonly retries: number;
  /** Why the last attempt failed. */
  readonly failure: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly queuedAt: number;
  /** Milliseconds since the Unix epoch. */
  readonly diedAt: number;
}

/** A dead letter and what it holds. */
export interface DeadLetterContent {
  readonly letter: DeadLetter;
  /** Its batches; undefined when this build cannot read the payload. */
  readonly batches: ReadonlyArray<Batch> | undefined;
  /** What the row carries. */
  readonly payload: unknown;
}

/** The accepted batches that could not be appended. Each stays until somebody deals with it. */
export interface DeadLetters {
  /** The oldest first, at most `limit`. */
  readonly list: (limit: number) => Promise<ReadonlyArray<DeadLetter>>;
  readonly show: (id: JobId) => Promise<DeadLetterContent | undefined>;
  /** Puts one back into the queue under its own id, with all its attempts; false if there is none. */
  readonly redrive: (id: JobId) => Promise<boolean>;
  /** Forgets one for good, and its events with it; false if there is none. */
  readonly drop: (id: JobId) => Promise<boolean>;
}

const COLUMNS = `
  source_id as id,
  singleton_key::int as events,
  coalesce(source_retry_count, 0)::int as retries,
  source_output ->> 'message' as failure,
  (extract(epoch from source_created_on) * 1000)::float8 as "queuedAt",
  (extract(epoch from created_on) * 1000)::float8 as "diedAt"`;

const FROM_DEAD = `from ${QUEUE_SCHEMA}.job where name = '${DEAD_LETTER_QUEUE}'`;

const LIST = `select ${COLUMNS} ${FROM_DEAD} order by created_on, id limit $1`;

const FIND = `select ${COLUMNS}, id as "rowId", data ${FROM_DEAD} and source_id = any($1::uuid[])`;

// pg-boss keeps the failed original for a while, under the id that is wanted again.
const DELETE_ORIGINAL = `
delete from ${QUEUE_SCHEMA}.job where name = '${EVENTS_QUEUE}' and id = $1 and state = 'failed'`;

interface Found extends DeadLetter {
  /** The row's own id in the dead letter queue. */
  readonly rowId: string;
  readonly data: Payload;
}

/** Finds the dead letter of a row that had one of these ids. */
export const findDeadLetter = async (
  execute: ExecuteSql,
  ids: ReadonlyArray<string>,
): Promise<Found | undefined> => {
  const { rows } = await execute(FIND, [ids]);
  return (rows as ReadonlyArray<Found>)[0];
};

export const makeDeadLetters = (boss: PgBoss, execute: ExecuteSql): DeadLetters => ({
  list: async (limit) => (await execute(LIST, [limit])).rows as ReadonlyArray<DeadLetter>,

  show: async (id) => {
    const found = await findDeadLetter(execute, [id]);
    if (found === undefined) return undefined;
    const { rowId: _, data, ...letter } = found;
    return { letter, batches: decodePayload(data), payload: data };
  },

  redrive: async (id) => {
    const found = await findDeadLetter(execute, [id]);
    if (found === undefined) return false;
    // In this order a crash in between loses nothing, and to do it all again changes nothing: the
    // dead letter goes last, and the log knows events that it gets twice.
    await execute(DELETE_ORIGINAL, [id]);
    const { events, data } = found;
    const key = events === null ? {} : { singletonKey: String(events) };
    await boss.insert(EVENTS_QUEUE, [{ id, data, ...key }]);
    await boss.deleteJob(DEAD_LETTER_QUEUE, found.rowId);
    return true;
  },

  drop: async (id) => {
    const found = await findDeadLetter(execute, [id]);
    if (found === undefined) return false;
    await boss.deleteJob(DEAD_LETTER_QUEUE, found.rowId);
    return true;
  },
});
