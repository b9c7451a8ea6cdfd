import type { Job } from "../../core/queue/queue.ts";
import type { FetchedRow } from "./fetch.ts";
import { madeAt, partId, rowOf } from "./job_id.ts";
import { decodePayload } from "./payload.ts";

/** One attempt at one row. pg-boss settles a claim only while it is the row's latest attempt. */
export interface Claim {
  readonly id: string;
  readonly retryCount: number;
  /** The history of the database in which it was fetched. */
  readonly history: number;
}

/**
 * Which attempt at which row a job was handed out with. Settling names the attempt, so that a worker
 * whose claim has lapsed cannot end the attempt of the one that has the row now.
 */
const claims = new WeakMap<Job, Claim>();

/** The jobs in a row that was fetched, in the order of its parts; undefined when it cannot be read. */
export const jobsOf = async (
  row: FetchedRow,
  history: number,
): Promise<ReadonlyArray<Job> | undefined> => {
  const claim: Claim = { id: row.id, retryCount: row.retryCount, history };
  // A row whose own id numbers a part holds that part alone (`isolate` in acknowledge.ts).
  const isolated = rowOf(row.id).part !== 0;
  const queuedAt = madeAt(row.id);
  const batches = await decodePayload(row.data);
  return batches?.map(({ trace, ...batch }, i) => {
    const id = isolated ? row.id : partId(row.id, i + 1);
    const job: Job = { id, batch, retries: row.retryCount, queuedAt, ...(trace && { trace }) };
    claims.set(job, claim);
    return job;
  });
};

/** The attempt that a job was handed out with. */
export const claimOf = (job: Job): Claim => {
  const claim = claims.get(job);
  if (claim === undefined) throw new Error(`job ${job.id} was not taken from this queue`);
  return claim;
};

/** The attempts that jobs were handed out with, each once. */
export const claimsOf = (jobs: ReadonlyArray<Job>): ReadonlySet<Claim> =>
  new Set(jobs.map(claimOf));
