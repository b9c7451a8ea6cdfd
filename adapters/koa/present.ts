import { formatTimestamp } from "../../core/event/timestamp.ts";
import type { AccountSummary } from "../../core/query/summarise_account.ts";
import type { JobStatus } from "../../core/queue/queue.ts";

/** A summary as the API shows it. */
export const summaryBody = (summary: AccountSummary) => ({
  account_id: summary.accountId,
  window: summary.window,
  // By name, so that equal summaries are equal texts. No type begins with a digit or with "__".
  totals: Object.fromEntries([...summary.totals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  top_users: summary.topUsers.map(({ userId, events }) => ({ user_id: userId, events })),
  from: formatTimestamp(summary.range.from),
  to: formatTimestamp(summary.range.to),
  as_of: formatTimestamp(summary.asOf),
});

/** A job as the API shows it. */
export const jobBody = (job: JobStatus) => ({
  job_id: job.jobId,
  state: job.state,
  queued: job.queued,
  appended: job.appended,
  duplicates: job.duplicates,
  conflicts: job.conflicts,
  retries: job.retries,
  queued_at: formatTimestamp(job.queuedAt),
  ended_at: job.endedAt === null ? null : formatTimestamp(job.endedAt),
  failure: job.failure,
});
