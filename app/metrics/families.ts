import type { Distribution, Family } from "./meters.ts";

/**
 * Everything that a process counts and measures as it goes, station by station. What is looked up when somebody
 * asks for the metrics is in `scrape.ts`. docs/operations.md says what each of them means.
 */

/** From a millisecond to ten seconds: what is quicker is quick, what is slower has failed. */
const DURATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const duration = (name: string, help: string): Distribution => ({
  name,
  help,
  bounds: DURATION_BOUNDS,
});

export const REQUEST_DURATION = duration(
  "tidemark_http_request_duration_seconds",
  "Time from a request's headers to the end of its answer, by route, method and status; 499: the client left",
);
export const PROBLEMS: Family = {
  name: "tidemark_http_problems_total",
  help: "Requests that were answered with a problem document, by the problem",
};

export const HTTP_REFUSED: Family = {
  name: "tidemark_http_refused_total",
  help: "What was refused before it was a request: connections past the bound, and the status of what was no HTTP",
};

export const BODIES_REFUSED: Family = {
  name: "tidemark_http_bodies_refused_total",
  help: "Bodies that there was no memory for, by the bound: the share of a client, or all that there is",
};

export const TURN_WAIT = duration(
  "tidemark_http_body_wait_seconds",
  "Time that a request's body waited for its turns to be decoded, the decoding itself left out",
);

export const ACCEPTED_REQUESTS: Family = {
  name: "tidemark_command_accepted_requests_total",
  help: "Batches of events that were accepted, each with a 202",
};
export const ACCEPTED_EVENTS: Family = {
  name: "tidemark_command_accepted_events_total",
  help: "Events that were accepted, repetitions included",
};

export const LOAD_READ_FAILURES: Family = {
  name: "tidemark_command_load_read_failures_total",
  help: "Attempts at reading how much waits in the queue and in the log that failed or took too long",
};

export const QUEUE_COMMIT_DURATION = duration(
  "tidemark_queue_commit_duration_seconds",
  "Time until an accepted batch is committed to the queue, the wait for its group included",
);
export const QUEUE_JOBS: Family = {
  name: "tidemark_queue_jobs_total",
  help: "Attempts at jobs that a worker ended; what failed is tried again, and a dead letter in the end",
};

export const LOG_EVENTS: Family = {
  name: "tidemark_log_events_total",
  help: "Events of completed jobs: appended to the log, or known there with the same payload or with another",
};
export const APPEND_DURATION = duration(
  "tidemark_log_append_duration_seconds",
  "Time of one append to one shard of the log",
);
export const APPEND_FAILURES: Family = {
  name: "tidemark_log_append_failures_total",
  help: "Appends that failed: the database was away, the shard was held by somebody else, or the data was refused",
};

export const STEP_DURATION = duration(
  "tidemark_projection_step_duration_seconds",
  "Time of one step of the projection on one shard",
);
export const FOLDED_EVENTS: Family = {
  name: "tidemark_projection_folded_events_total",
  help: "Events that were folded into the read models",
};
export const POISONED_EVENTS: Family = {
  name: "tidemark_projection_poisoned_events_total",
  help: "Events that could not be folded, and were recorded and skipped",
};
export const VISIBLE_AFTER: Distribution = {
  name: "tidemark_accept_to_visible_seconds",
  help: "Time of an event from its 202 until it counts in summaries, by stage. append: from just before its commit to the queue until its job is acknowledged. fold: from its append until the commit of the projector",
  bounds: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
};

export const QUERY_DURATION = duration(
  "tidemark_query_duration_seconds",
  "Time of a read of the database that answers a query",
);
export const DATABASE_FAILURES: Family = {
  name: "tidemark_database_failures_total",
  help: "Calls of the database that failed, by operation and kind; away: it passes by itself. The other kinds need a person",
};
export const DATABASE_RETRIES: Family = {
  name: "tidemark_database_retries_total",
  help: "Statements that were tried again because a connection or a transaction broke",
};

export const BACKGROUND_FAILURES: Family = {
  name: "tidemark_background_failures_total",
  help: "Failures of what runs in the background and nobody waits for, by task",
};

export const REDIS_CHANGES: Family = {
  name: "tidemark_redis_changes_total",
  help: "Times that the process began to do without Redis (to: away), or to use it (to: ok)",
};

export const GC_DURATION: Distribution = {
  name: "nodejs_gc_duration_seconds",
  help: "Time of garbage collections, by kind",
  bounds: [0.001, 0.01, 0.1, 1],
};
