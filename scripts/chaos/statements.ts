// The statements of the service that faults aim at, recognised by their text on the wire. A scenario that
// never meets the moment it aims at fails, so that a text which has changed is noticed.

/** pg-boss stores what a request brought: the commit behind a 202. */
export const ENQUEUE: RegExp = /json_to_recordset\(\$1::text::json\)/;

/** pg-boss hands jobs to a worker. */
export const TAKE: RegExp = /FOR UPDATE OF j SKIP LOCKED/;

/** The worker appends events to a shard of the log. */
export const APPEND: RegExp = /tidemark\.append\(/;

/** pg-boss notes that jobs are done. */
export const SETTLE: RegExp = /SET completed_on[^]*state = 'completed'/;

/** The projector folds a range of a shard and moves its checkpoint. */
export const STEP: RegExp = /slice as materialized/;
