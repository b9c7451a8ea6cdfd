import type { Dimension, ReadModel } from "../../core/projection/read_models.ts";
import type { Statement } from "./pool.ts";

/** How the database reads each dimension off an event; `DIMENSIONS` in core is the definition. */
export const DIMENSION_SQL: Readonly<Record<Dimension, string>> = {
  account_id: "account_id",
  hour: "date_bin('1 hour', occurred_at, timestamptz 'epoch')",
  type: "type",
  user_id: "user_id",
};

/**
 * Compiles read models to the one statement that is a step of the projection:
 *
 * - `lease` locks the shard's checkpoint, or finds it locked by another projector and gives no row;
 * - `slice` reads the events behind it, as far as this statement's snapshot has seen the head (a
 *   checkpoint that moved after the snapshot was taken can be ahead of it: then there is nothing; nor is
 *   there when a window was changed since, which this statement would not see);
 * - one insert for each read model adds the slice's counts to its rows;
 * - `late` are events of a time that a window has counted already: they are added to it;
 * - `moved` moves the checkpoint.
 *
 * One statement is one transaction, so the counts and the checkpoint move together or not at all.
 * Parameters: $1 shard, $2 how many events at most. It returns the step's bounds, the accounts whose
 * events it folded, and when the oldest of these events was recorded.
 */
export const compileStep = (models: ReadonlyArray<ReadModel>): Statement => ({
  name: "projection_step",
  text: `
with lease as (
  select position, windows_changed
  from read_models.checkpoints where shard = $1 for update skip locked
),
bounds as materialized (
  select l.position as lo, least(h.position, l.position + $2::bigint) as hi
  from lease l, tidemark.log_heads h, read_models.checkpoints seen
  where h.shard = $1 and h.position > l.position
    and seen.shard = $1 and seen.windows_changed = l.windows_changed
),
slice as materialized (
  select e.account_id, e.occurred_at, e.recorded_at, e.type, e.user_id
  from bounds b, tidemark.events e
  where e.shard = $1 and e.position > b.lo and e.position <= b.hi
),
${models.map(compileModel).join(",\n")},
${LATE_INTO_WINDOWS},
moved as (
  update read_models.checkpoints c set position = b.hi from bounds b where c.shard = $1
)
select lo, hi,
  array(select distinct account_id from slice) as accounts,
  (select floor(extract(epoch from min(recorded_at)) * 1000)::bigint from slice) as "oldestRecordedAt"
from bounds`,
});

/** `db/migrations/0005_windows.sql` says what a window counts. */
const LATE_INTO_WINDOWS = `late as materialized (
  select w.account_id, w.hours, s.type, s.user_id
  from slice s
  join read_models.windows w
    on w.shard = $1 and w.account_id = s.account_id
    and s.occurred_at >= w.counted_from and s.occurred_at < w.counted_to
),
late_types as (
  insert into read_models.window_types as t (shard, account_id, hours, type, events)
  select $1, account_id, hours, type, count(*) from late group by account_id, hours, type
  on conflict (shard, account_id, hours, type) do update set events = t.events + excluded.events
),
late_users as (
  insert into read_models.window_users as t (shard, account_id, hours, user_id, events)
  select $1, account_id, hours, user_id, count(*) from late group by account_id, hours, user_id
  on conflict (shard, account_id, hours, user_id) do update set events = t.events + excluded.events
)`;

const compileModel = ({ name, dimensions }: ReadModel): string => {
  const columns = dimensions.join(", ");
  const grouped = dimensions.map((dimension) => `${DIMENSION_SQL[dimension]} as ${dimension}`);
  return `${name} as (
  insert into read_models.${name} as t (shard, ${columns}, events)
  select $1, ${grouped.join(", ")}, count(*)
  from slice
  group by ${dimensions.map((_, i) => i + 2).join(", ")}
  on conflict (shard, ${columns}) do update set events = t.events + excluded.events
)`;
};
