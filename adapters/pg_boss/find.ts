import { Option } from "effect";
import type { Db, JobWithMetadata, PgBoss } from "pg-boss";

import { accountsIn, type Batch, queuedIn } from "../../core/event/batch.ts";
import type { Counts, JobId, JobState, JobStatus } from "../../core/queue/queue.ts";
import type { Output } from "./acknowledge.ts";
import type { ExecuteSql } from "./boss.ts";
import { findDeadLetter } from "./dead_letters.ts";
import { rowOf } from "./job_id.ts";
import { decodePayload, type Payload } from "./payload.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";

/** Finds the status of a job in its row, or in the row of its own that a failed part got. */
export const findJob = async (
  boss: PgBoss,
  executeRead: ExecuteSql,
  id: JobId,
): Promise<Option.Option<JobStatus>> => {
  const { rowId, part } = rowOf(id);
  const row = await findRow(boss, executeRead, rowId);
  const batch = row === undefined ? undefined : (await decodePayload(row.data))?.[part - 1];
  if (row !== undefined && batch !== undefined && countsOf(row, part, batch) !== null) {
    return Option.some(statusOf(id, row, part, batch));
  }
  const own = await findRow(boss, executeRead, id);
  const ownBatch = own === undefined ? undefined : (await decodePayload(own.data))?.[0];
  return own === undefined || ownBatch === undefined
    ? findDead(executeRead, id)
    : Option.some(statusOf(id, own, 1, ownBatch));
};

/** A dead job can be found for as long as its dead letter exists, which outlives its row. */
const findDead = async (executeRead: ExecuteSql, id: JobId): Promise<Option.Option<JobStatus>> => {
  const letter = await findDeadLetter(executeRead, id);
  const batch = letter?.jobs?.find((job) => job.id === id)?.batch;
  if (letter === undefined || batch === undefined) return Option.none();
  return Option.some({
    jobId: id,
    accountIds: accountsIn(batch),
    state: "dead",
    queued: queuedIn(batch),
    ...NO_COUNTS,
    retries: letter.retries,
    queuedAt: letter.queuedAt,
    endedAt: letter.diedAt,
    failure: letter.failure,
  });
};

type Row = JobWithMetadata<Payload>;

const findRow = async (
  boss: PgBoss,
  executeRead: ExecuteSql,
  id: string,
): Promise<Row | undefined> => {
  // Not on the connections that accept events: clients can look up any number of jobs.
  const db: Db = { executeSql: (text, values) => executeRead(text, values, "find_job") };
  const [row] = await boss.findJobs<Payload>(EVENTS_QUEUE, { id, db });
  return row;
};

const STATES: Readonly<Record<Row["state"], JobState>> = {
  created: "queued",
  retry: "retrying",
  active: "processing",
  completed: "completed",
  failed: "dead",
  cancelled: "dead",
};

const statusOf = (jobId: JobId, row: Row, part: number, batch: Batch): JobStatus => ({
  jobId,
  accountIds: accountsIn(batch),
  state: STATES[row.state],
  queued: queuedIn(batch),
  ...(countsOf(row, part, batch) ?? NO_COUNTS),
  retries: row.retryCount,
  queuedAt: row.createdOn.getTime(),
  endedAt: row.completedOn?.getTime() ?? null,
  failure: row.state === "completed" ? null : failureOf(row.output),
});

const NO_COUNTS: Counts = { appended: 0, duplicates: 0, conflicts: 0 };

/** The counts of a part; null if it got a row of its own. */
const countsOf = (row: Row, part: number, batch: Batch): Counts | null => {
  if (row.state !== "completed") return NO_COUNTS;
  const output = row.output as Output | null;
  return output === null
    ? { appended: queuedIn(batch), duplicates: 0, conflicts: 0 }
    : (output.counts[part - 1] ?? null);
};

const failureOf = (output: object | null): string | null =>
  output !== null && "message" in output && typeof output.message === "string"
    ? output.message
    : null;
