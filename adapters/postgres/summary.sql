-- The summary of one account over a range, in one statement and so of one moment: the log's time
-- index up to the checkpoint, or what a window has counted (db/migrations/0005_windows.sql) and from
-- the index only the corrections at its two ends.
-- $1 shard, $2 account, $3 and $4 the range, $5 how many top users, $6 hours of the window, or null
with bounds as materialized (
  select c.position as checkpoint, c.generation, h.position as head
  from read_models.checkpoints c join tidemark.log_heads h using (shard)
  where shard = $1
),
base as materialized (
  select counted_from, counted_to from read_models.windows
  where shard = $1 and account_id = $2 and hours = $6::smallint
),
-- range = window + (from the window's end to the range's) - (from the window's begin to the range's),
-- where a difference that runs backwards counts with the other sign.
corrections (sign, lo, hi) as materialized (
  select 1, $3::timestamptz, $4::timestamptz where not exists (select from base)
  union all
  select
    case when $4::timestamptz >= counted_to then 1 else -1 end,
    least($4::timestamptz, counted_to), greatest($4::timestamptz, counted_to)
  from base
  union all
  select
    case when $3::timestamptz >= counted_from then -1 else 1 end,
    least($3::timestamptz, counted_from), greatest($3::timestamptz, counted_from)
  from base
),
edges as materialized (
  select e.type, e.user_id, sum(c.sign) as events, count(*) as rows
  from corrections c
  join tidemark.events e
    on e.shard = $1 and e.account_id = $2 and e.schema_version > 0
    and e.occurred_at >= c.lo and e.occurred_at < c.hi
  where e.position + 0 <= (select checkpoint from bounds)
  group by e.type, e.user_id
),
totals as (
  select type, sum(events)::bigint as events
  from (
    select type, events from read_models.window_types
    where shard = $1 and account_id = $2 and hours = $6::smallint and exists (select from base)
    union all
    select type, events from edges
  ) parts
  group by type
  having sum(events) > 0
),
edge_users as materialized (
  select user_id, sum(events)::bigint as events from edges group by user_id
),
-- The top users of the window, corrected. The worst of them is a bound: of the other users only those
-- can be among the top whose count in the window comes up to it with the largest correction of all.
-- With fewer users than asked for in the window there is no bound, and everybody is looked at.
leaders as materialized (
  select w.events + coalesce(e.events, 0) as events
  from (
    select user_id, events from read_models.window_users
    where shard = $1 and account_id = $2 and hours = $6::smallint and exists (select from base)
    order by events desc, user_id
    limit $5
  ) w
  left join edge_users e using (user_id)
),
threshold as materialized (
  select case
    when (select count(*) from leaders) < $5 then 0
    else (select min(events) from leaders)
      - coalesce((select greatest(max(events), 0) from edge_users), 0)
  end as events
),
candidates as materialized (
  select user_id, events from read_models.window_users
  where shard = $1 and account_id = $2 and hours = $6::smallint and exists (select from base)
    and events >= (select events from threshold)
),
users as (
  select user_id, coalesce(c.events, 0) + coalesce(e.events, 0) as events
  from candidates c full join edge_users e using (user_id)
  -- Who is no candidate is in the window below the threshold, if at all; only without a threshold
  -- is a user who is not in it counted by the corrections alone.
  where (c.user_id is not null or (select events from threshold) <= 0)
    and coalesce(c.events, 0) + coalesce(e.events, 0) > 0
  order by events desc, user_id
  limit $5
)
select 'total' as kind, type as name, events from totals
union all
select 'user', user_id, events from users
union all
select 'corrected', '', coalesce(sum(rows), 0)::bigint from edges
union all
select 'checkpoint', '', checkpoint from bounds
union all
select 'generation', '', generation from bounds
union all
-- All that was in the log until then is counted: now, or when the first uncounted event came.
select 'as_of', '', floor(extract(epoch from coalesce(
  (select e.recorded_at from tidemark.events e
   where b.head > b.checkpoint and e.shard = $1 and e.position = b.checkpoint + 1),
  statement_timestamp())) * 1000)::bigint
from bounds b
