-- Counts a window (db/migrations/0003_windows.sql) from the log, as far as its shard is folded,
-- while the checkpoint of the shard is locked.
-- $1 shard, $2 account, $3 hours, $4 and $5 its bounds
with folded as materialized (
  select position from read_models.checkpoints where shard = $1
),
counted as materialized (
  select e.type, e.user_id, count(*) as events
  from tidemark.events e
  where e.shard = $1 and e.account_id = $2 and e.schema_version > 0
    and e.occurred_at >= $4::timestamptz and e.occurred_at < $5::timestamptz
    -- `+ 0` keeps the index on positions out of the plan (docs/design.md, Query plans).
    and e.position + 0 <= (select position from folded)
  group by e.type, e.user_id
),
begun as (
  insert into read_models.windows (shard, account_id, hours, counted_from, counted_to)
  values ($1, $2, $3, $4, $5)
),
types as (
  insert into read_models.window_types (shard, account_id, hours, type, events)
  select $1, $2, $3, type, sum(events) from counted group by type
)
insert into read_models.window_users (shard, account_id, hours, user_id, events)
select $1, $2, $3, user_id, sum(events) from counted group by user_id
