import { present } from "../../core/invariant.ts";
import type { Job } from "../../core/queue/queue.ts";
import { madeAt, partId, rowOf } from "./job_id.ts";
import { decodePayload } from "./payload.ts";
import type { FetchedRow } from "./private_tables.ts";

/** One attempt at one row. pg-boss completes or fails a row only for its latest attempt. */
export interface Claim {
  readonly id: string;
  readonly retryCount: number;
  /** The history of the database in which it was fetched. */
  readonly history: number;
}

/**
 * The claim that each job was fetched with. Acknowledging names the attempt, so that a worker whose
 * claim has lapsed cannot end the attempt of the worker that has the row now.
 */
const claims = new WeakMap<Job, Claim>();

/** The jobs of a fetched row, in the order of its parts; undefined if the row cannot be read. */
export const jobsOf = async (
  row: FetchedRow,
  history: number,
): Promise<ReadonlyArray<Job> | undefined> => {
  const claim: Claim = { id: row.id, retryCount: row.retryCount, history };
  // A row whose own id has a part number contains that part alone (`isolateFailed` in
  // acknowledge.ts).
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

/** The claim that a job was fetched with. */
export const claimOf = (job: Job): Claim =>
  present(claims.get(job), `job ${job.id} was fetched from this queue`);

/** The claims that jobs were fetched with, each once. */
export const claimsOf = (jobs: ReadonlyArray<Job>): ReadonlySet<Claim> =>
  new Set(jobs.map(claimOf));
