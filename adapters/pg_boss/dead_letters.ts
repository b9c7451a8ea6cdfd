import { Effect, Layer, Option } from "effect";
import type { PgBoss } from "pg-boss";

import { type DeadLetterContent, DeadLetters } from "../../core/queue/dead_letters.ts";
import { type JobId, QueueUnavailable } from "../../core/queue/queue.ts";
import { type Diagnose, makeAskStore } from "../../core/store_failure.ts";
import { Boss, type ExecuteSql, QueueDatabase } from "./boss.ts";
import { isRowOrJobId, partId, rowOf } from "./job_id.ts";
import { decodePayload } from "./payload.ts";
import {
  type DeadLetterRow,
  deleteFailedRow,
  findLetterRows,
  listLetterRows,
} from "./private_tables.ts";
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE } from "./queue_settings.ts";

interface Found extends DeadLetterRow {
  readonly jobs: DeadLetterContent["jobs"];
}

/** Finds the dead letter with this id, or the one that contains the job with this id. */
export const findDeadLetter = async (
  execute: ExecuteSql,
  id: JobId,
): Promise<Found | undefined> => {
  for (const row of await findLetterRows(execute, [id, rowOf(id).rowId])) {
    const jobs = await jobsIn(row);
    if (row.id === id || jobs?.some((job) => job.id === id)) return { ...row, jobs };
  }
  return undefined;
};

/** The jobs of a row: a single job has the row's id, several have ids of their own. */
const jobsIn = async ({ id, data }: DeadLetterRow): Promise<DeadLetterContent["jobs"]> => {
  const batches = await decodePayload(data);
  return batches?.map((batch, i) => ({
    id: rowOf(id).part === 0 ? partId(id, i + 1) : id,
    batch,
  }));
};

/**
 * The dead letters in Postgres. A row is one letter, with all jobs that share it.
 *
 * @param diagnose tells why a statement of `execute` failed
 * @param executeRead runs the reads of clients
 */
export const makeDeadLetters = (
  boss: PgBoss,
  execute: ExecuteSql,
  diagnose: Diagnose,
  executeRead: ExecuteSql = execute,
): DeadLetters["Service"] => {
  const orUnavailable = makeAskStore(diagnose)(QueueUnavailable);

  /** Runs `act` on a letter; false if there is none. */
  const onLetter = (id: string, act: (found: Found) => Promise<void>) =>
    isRowOrJobId(id)
      ? orUnavailable(async () => {
          const found = await findDeadLetter(execute, id.toLowerCase());
          if (found !== undefined) await act(found);
          return found !== undefined;
        })
      : Effect.succeed(false);

  return {
    list: (limit) => orUnavailable((signal) => listLetterRows(executeRead, limit, signal)),

    find: (id) =>
      isRowOrJobId(id)
        ? orUnavailable(async (signal) => {
            const read: ExecuteSql = (text, values, name) =>
              executeRead(text, values, name, signal);
            const found = await findDeadLetter(read, id.toLowerCase());
            if (found === undefined) return Option.none();
            const { rowId: _, sizeKey: __, data: payload, jobs, ...letter } = found;
            return Option.some({ letter, jobs, payload });
          })
        : Effect.succeedNone,

    redrive: (id) =>
      onLetter(id, async (found) => {
        // The dead letter goes last: a crash in between loses nothing, and repeating all steps
        // changes nothing, since the log recognizes duplicates.
        await deleteFailedRow(execute, found.id);
        const { sizeKey, data } = found;
        const key = sizeKey === null ? {} : { singletonKey: sizeKey };
        await boss.insert(EVENTS_QUEUE, [{ id: found.id, data, ...key }]);
        await boss.deleteJob(DEAD_LETTER_QUEUE, found.rowId);
      }),

    drop: (id) =>
      onLetter(id, async ({ rowId }) => {
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
