import { Effect, Layer, Option } from "effect";
import type { PgBoss } from "pg-boss";

import {
  type DeadLetter,
  type DeadLetterContent,
  DeadLetters,
} from "../../core/queue/dead_letters.ts";
import { type JobId, QueueUnavailable } from "../../core/queue/queue.ts";
import { type Diagnose, makeAskStore } from "../../core/store_failure.ts";
import { Boss, type ExecuteSql, QueueDatabase } from "./boss.ts";
import { isRowOrJobId, partId, rowOf } from "./job_id.ts";
import { decodePayload, type Payload } from "./payload.ts";
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";
import { EVENTS_OF_ROW } from "./row_size.ts";

const COLUMNS = `
  source_id as id,
  ${EVENTS_OF_ROW} as events,
  coalesce(source_retry_count, 0)::int as retries,
  source_output ->> 'message' as failure,
  (extract(epoch from source_created_on) * 1000)::float8 as "queuedAt",
  (extract(epoch from created_on) * 1000)::float8 as "diedAt"`;

const FROM_DEAD = `from ${QUEUE_SCHEMA}.job where name = '${DEAD_LETTER_QUEUE}'`;

const LIST = `select ${COLUMNS} ${FROM_DEAD} order by created_on, id limit $1`;

const FIND = `select ${COLUMNS}, id as "rowId", singleton_key as "sizeKey", data ${FROM_DEAD} and source_id = any($1::uuid[])`;

// pg-boss keeps the failed original for a while, under the id that is wanted again.
const DELETE_ORIGINAL = `
delete from ${QUEUE_SCHEMA}.job where name = '${EVENTS_QUEUE}' and id = $1 and state = 'failed'`;

interface Row extends DeadLetter {
  /** The row's own id in the dead letter queue. */
  readonly rowId: string;
  readonly data: Payload;
  /** `sizeKey` of the row, or null if no build of ours has written it. */
  readonly sizeKey: string | null;
}

interface Found extends Row {
  readonly jobs: DeadLetterContent["jobs"];
}

/** Finds the dead letter that has this id, or holds the job of this id. */
export const findDeadLetter = async (
  execute: ExecuteSql,
  id: JobId,
): Promise<Found | undefined> => {
  const { rows } = await execute(FIND, [[id, rowOf(id).rowId]]);
  for (const row of rows as ReadonlyArray<Row>) {
    const jobs = await jobsIn(row);
    if (row.id === id || jobs?.some((job) => job.id === id)) return { ...row, jobs };
  }
  return undefined;
};

/** The jobs of a row: it has the id of its only one, or one of its own and several. */
const jobsIn = async ({ id, data }: Row): Promise<DeadLetterContent["jobs"]> => {
  const batches = await decodePayload(data);
  return batches?.map((batch, i) => ({
    id: rowOf(id).part === 0 ? partId(id, i + 1) : id,
    batch,
  }));
};

/**
 * The dead letters in Postgres. A row is one letter, with the jobs that share it.
 *
 * @param diagnose tells why what `execute` runs failed
 * @param executeRead runs reads that clients ask for
 */
export const makeDeadLetters = (
  boss: PgBoss,
  execute: ExecuteSql,
  diagnose: Diagnose,
  executeRead: ExecuteSql = execute,
): DeadLetters["Service"] => {
  const unavailable = makeAskStore(diagnose)(QueueUnavailable);

  /** Does something about a letter; false if there is none. */
  const deal = (id: string, act: (found: Found) => Promise<void>) =>
    isRowOrJobId(id)
      ? unavailable(async () => {
          const found = await findDeadLetter(execute, id.toLowerCase());
          if (found !== undefined) await act(found);
          return found !== undefined;
        })
      : Effect.succeed(false);

  return {
    list: (limit) =>
      unavailable(async (signal) => {
        const { rows } = await executeRead(LIST, [limit], undefined, signal);
        return rows as ReadonlyArray<DeadLetter>;
      }),

    find: (id) =>
      isRowOrJobId(id)
        ? unavailable(async (signal) => {
            const read: ExecuteSql = (text, values, name) =>
              executeRead(text, values, name, signal);
            const found = await findDeadLetter(read, id.toLowerCase());
            if (found === undefined) return Option.none();
            const { rowId: _, sizeKey: __, data: payload, jobs, ...letter } = found;
            return Option.some({ letter, jobs, payload });
          })
        : Effect.succeedNone,

    redrive: (id) =>
      deal(id, async (found) => {
        // In this order a crash in between loses nothing, and to do it all again changes nothing: the
        // dead letter goes last, and the log knows events that it gets twice.
        await execute(DELETE_ORIGINAL, [found.id]);
        const { sizeKey, data } = found;
        const key = sizeKey === null ? {} : { singletonKey: sizeKey };
        await boss.insert(EVENTS_QUEUE, [{ id: found.id, data, ...key }]);
        await boss.deleteJob(DEAD_LETTER_QUEUE, found.rowId);
      }),

    drop: (id) =>
      deal(id, async ({ rowId }) => {
        await boss.deleteJob(DEAD_LETTER_QUEUE, rowId);
      }),
  };
};

export const deadLettersLayer: Layer.Layer<DeadLetters, never, Boss | QueueDatabase> = Layer.effect(
  DeadLetters,
  Effect.zipWith(Boss, QueueDatabase, (boss, { execute, diagnose, executeRead }) =>
    makeDeadLetters(boss, execute, diagnose, executeRead),
  ),
);
