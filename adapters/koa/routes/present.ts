import type { Event, RecordedEvent } from "../../../core/event/event.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import type { AccountTimeseries } from "../../../core/query/account_timeseries.ts";
import type { EventsList } from "../../../core/query/list_events.ts";
import type { AccountSummary } from "../../../core/query/summarise_account.ts";
import type { DeadLetter, DeadLetterContent } from "../../../core/queue/dead_letters.ts";
import type { JobStatus } from "../../../core/queue/queue.ts";
import type { Body } from "../openapi/bodies.ts";
import { writeCursor } from "./events_cursor.ts";

/** A summary as the API shows it, as JSON: it is kept, and sent many times. */
export const summaryText = (summary: AccountSummary): string =>
  JSON.stringify(summaryBody(summary));

const summaryBody = (summary: AccountSummary): Body<"Summary"> => ({
  account_id: summary.accountId,
  window: summary.window,
  // By name, so that equal summaries are equal texts. No type begins with a digit or with "__".
  totals: Object.fromEntries([...summary.totals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  top_users: summary.topUsers.map(({ userId, events }) => ({ user_id: userId, events })),
  from: formatTimestamp(summary.range.from),
  to: formatTimestamp(summary.range.to),
  as_of: formatTimestamp(summary.asOf),
});

/** A time series as the API shows it. */
export const timeseriesBody = (timeseries: AccountTimeseries): Body<"Timeseries"> => ({
  account_id: timeseries.accountId,
  interval: timeseries.interval,
  points: timeseries.points.map(({ start, totals }) => ({
    start: formatTimestamp(start),
    totals: Object.fromEntries(totals),
  })),
  from: formatTimestamp(timeseries.range.from),
  to: formatTimestamp(timeseries.range.to),
  as_of: formatTimestamp(timeseries.asOf),
});

/** A page of an account's events as the API shows it. */
export const eventsBody = ({ accountId, events, next, asOf }: EventsList): Body<"EventPage"> => ({
  account_id: accountId,
  events: events.map(eventBody),
  next_cursor: next === null ? null : writeCursor(next, accountId),
  as_of: formatTimestamp(asOf),
});

/** An event as it was sent, and when it was recorded. */
const eventBody = (event: RecordedEvent): Body<"RecordedEvent"> => ({
  ...sentBody(event),
  recorded_at: formatTimestamp(event.recordedAt),
});

/** An event as it was sent. */
const sentBody = (event: Event): Body<"DeadEvent"> => ({
  event_id: event.eventId,
  account_id: event.accountId,
  user_id: event.userId,
  type: event.type,
  timestamp: formatTimestamp(event.occurredAt),
  ...(event.metadata === null
    ? {}
    : { metadata: JSON.parse(event.metadata) as Record<string, unknown> }),
});

/** A job as the API shows it. */
export const jobBody = (job: JobStatus): Body<"Job"> => ({
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

/** A page of dead letters as the API shows it. */
export const deadLettersBody = (
  letters: ReadonlyArray<DeadLetter>,
  more: boolean,
): Body<"DeadLetterPage"> => ({ dead_letters: letters.map(letterFields), more });

/** A dead letter with its events as the API shows it. */
export const deadLetterBody = ({ letter, jobs }: DeadLetterContent): Body<"DeadLetter"> => ({
  ...letterFields(letter),
  jobs: jobs?.map(({ id, batch }) => ({ job_id: id, events: batch.events.map(sentBody) })) ?? null,
});

const letterFields = (letter: DeadLetter) => ({
  id: letter.id,
  events: letter.events,
  retries: letter.retries,
  failure: letter.failure,
  queued_at: formatTimestamp(letter.queuedAt),
  died_at: formatTimestamp(letter.diedAt),
});
