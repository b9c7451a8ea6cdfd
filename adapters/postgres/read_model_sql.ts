import type { Dimension, ReadModel } from "../../core/projection/read_models.ts";
import type { Statement } from "./pool.ts";
import { schemaOf } from "./statement.ts";

/**
 * The SQL that read models compile to. `read_model_sql.snapshot.sql` shows it for the current read
 * models; docs/design.md (Query plans) explains `position + 0` and other tricks.
 */

/** How the database computes each dimension of an event; `DIMENSIONS` in core is the definition. */
export const DIMENSION_SQL: Readonly<Record<Dimension, string>> = {
  account_id: "account_id",
  hour: "date_bin('1 hour', occurred_at, timestamptz 'epoch')",
  type: "type",
  user_id: "user_id",
};

/** The dimensions of an event as columns, and the ordinals of these columns from `first` on. */
const columnsOf = ({ dimensions }: ReadModel, first: number) => ({
  names: dimensions.join(", "),
  selected: dimensions.map((name) => selected(name, DIMENSION_SQL[name])).join(", "),
  ordinals: dimensions.map((_, i) => i + first).join(", "),
});

const selected = (name: string, sql: string): string => (sql === name ? sql : `${sql} as ${name}`);

/**
 * Compiles read models to one step of the projection:
 *
 * - `lease` locks the shard's checkpoint. If another projector holds the lock there is no row.
 * - `bounds` end at the head that the snapshot of this statement has seen. There are none if the
 *   checkpoint moved past that head after the snapshot was taken, or if a window has changed since,
 *   which this statement would not see.
 * - `slice` are the events between the bounds.
 * - One insert for each read model adds the counts of the slice to its rows.
 * - `late` are events in the time range of a window (db/migrations/0003_windows.sql), to which they
 *   are added.
 * - `moved` moves the checkpoint.
 *
 * One statement is one transaction, so the counts and the checkpoint move together or not at all.
 *
 * Parameters: $1 shard, $2 most events. Returns the bounds, the number and accounts of the events,
 * and when the oldest of them was recorded.
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
${models.map(addSlice).join("")}late as materialized (
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
),
moved as (
  update read_models.checkpoints c set position = b.hi from bounds b where c.shard = $1
)
select lo, hi,
  (select count(*) from slice) as events,
  array(select distinct account_id from slice) as accounts,
  (select floor(extract(epoch from min(recorded_at)) * 1000)::bigint from slice) as "oldestRecordedAt"
from bounds`,
});

const addSlice = (model: ReadModel): string => {
  const { names, selected: columns, ordinals } = columnsOf(model, 2);
  return `${model.name} as (
  insert into read_models.${model.name} as t (shard, ${names}, events)
  select $1, ${columns}, count(*)
  from slice
  group by ${ordinals}
  on conflict (shard, ${names}) do update set events = t.events + excluded.events
),
`;
};

/**
 * Compiles a read model to a fold of a large range of positions: one pass over that part of the
 * log. Inserts the groups in the order of the primary key, so that a large index is written page by
 * page. Does not update windows. The first range of a shard finds no existing rows; looking for
 * them would double its cost.
 *
 * Parameters: $1 shard, $2 the position after which the range begins, $3 its last position. Has no
 * name, so that it is planned for its range.
 */
export const compileFold = (model: ReadModel, range: "first" | "later"): Statement => {
  const { names, selected: columns, ordinals } = columnsOf(model, 1);
  const onConflict = `
on conflict (shard, ${names}) do update set events = t.events + excluded.events`;
  return {
    name: "",
    text: `
-- Separate from the sort, so that the groups are counted in a hash table. The planner cannot know
-- that there are far fewer groups than events, and would sort the events.
with counts as materialized (
  select ${columns}, count(*) as events
  from tidemark.events
  where shard = $1::smallint and position > $2::bigint and position <= $3::bigint
  group by ${ordinals}
)
insert into read_models.${model.name} as t (shard, ${names}, events)
select $1::smallint, ${names}, events from counts
order by ${names}${range === "first" ? "" : onConflict}`,
  };
};

/**
 * Compiles a read model to the comparison of a shard of the live generation with that of another
 * one. It compares sums of a hash of each row's key, times the count of the row. The sums add up
 * like the counts, so events that only one of the two has folded can be added from the log, and
 * folding need not stop. One statement sees one moment.
 *
 * Parameter: $1 shard. Returns by how many events the live rows exceed the others, and whether both
 * are the same.
 */
export const compileCompare = ({ name, dimensions }: ReadModel, generation: number): Statement => {
  const other = schemaOf(generation);
  const hashOf = (columns: ReadonlyArray<string>): string =>
    `hash_record_extended(row(${columns.join(", ")}), 0)`;
  const row = hashOf(dimensions);
  const event = hashOf(dimensions.map((each) => DIMENSION_SQL[each]));
  return {
    name: `compare_${name}_${generation}`,
    text: `
with positions as materialized (
  select l.position as live, o.position as other
  from read_models.checkpoints l join ${other}.checkpoints o using (shard)
  where l.shard = $1
),
counted (events, hash) as (
  select events, ${row} from read_models.${name} where shard = $1
  union all
  select -events, ${row} from ${other}.${name} where shard = $1
  union all
  -- Events that only one of them has folded.
  select case when other > live then 1 else -1 end, ${event}
  from positions
  join tidemark.events e
    on e.shard = $1 and e.position > least(live, other) and e.position <= greatest(live, other)
  union all
  -- Events that the live one has skipped.
  select 1, ${event}
  from positions
  join read_models.poisoned_events p on p.shard = $1 and p.position <= live
  join tidemark.events e on e.shard = $1 and e.position = p.position
),
sums as (
  select
    coalesce(sum(events), 0) as excess,
    -- The hash in two halves, so that no product exceeds a bigint.
    coalesce(sum(events * (hash & 2147483647)), 0) as low,
    coalesce(sum(events * ((hash >> 32) & 2147483647)), 0) as high
  from counted
)
select excess::bigint as excess, excess = 0 and low = 0 and high = 0 as same from sums`,
  };
};

/** Rows that differ from the log: `key`, `live` and `log`, null if there is no such row. */
export interface Verification {
  readonly table: string;
  readonly text: string;
}

/**
 * Recounts a read model without the skipped events. The text contains the numbers, as a cursor has
 * no parameters.
 */
export const compileVerify = (
  model: ReadModel,
  shard: number,
  checkpoint: number,
): Verification => {
  const { names, selected: columns, ordinals } = columnsOf(model, 1);
  const key = model.dimensions.map((dimension) => `'${dimension}', ${dimension}`).join(", ");
  return {
    table: model.name,
    text: `
select json_build_object(${key})::text as key, live.events as live, log.events as log
from (
  select ${columns}, count(*) as events
  from tidemark.events e
  where e.shard = ${shard} and e.position + 0 <= ${checkpoint} and not exists (
    select from read_models.poisoned_events p where p.shard = e.shard and p.position = e.position
  )
  group by ${ordinals}
) log
full join (select * from read_models.${model.name} where shard = ${shard}) live
  using (${names})
where live.events is distinct from log.events`,
  };
};

/**
 * Recounts the rolling windows, by `type` or by `user_id`, like a summary without a window: with
 * the skipped events. A row with 0 equals a missing one, because the counts of a window can go
 * down.
 */
export const compileVerifyWindows = (
  table: "window_types" | "window_users",
  shard: number,
  checkpoint: number,
): Verification => {
  const by = table === "window_types" ? "type" : "user_id";
  return {
    table,
    text: `
select
  json_build_object('account_id', account_id, 'hours', hours, '${by}', ${by})::text as key,
  live.events as live, log.events as log
from (
  select w.account_id, w.hours, e.${by}, count(*) as events
  from read_models.windows w
  join tidemark.events e
    on e.shard = ${shard} and e.account_id = w.account_id and e.schema_version > 0
    and e.position + 0 <= ${checkpoint}
    and e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to
  where w.shard = ${shard}
  group by 1, 2, 3
) log
full join (select * from read_models.${table} where shard = ${shard}) live
  using (account_id, hours, ${by})
where coalesce(live.events, 0) <> coalesce(log.events, 0)`,
  };
};
