-- The summary of one account over a range, in one statement and so as of one moment: from the log's
-- time index up to the checkpoint, or from a window (db/migrations/0003_windows.sql), with only the
-- corrections at its two ends from the index.
-- $1 shard, $2 account, $3 and $4 the range, $5 number of top users, $6 hours of the window, or
-- null
with bounds as materialized (
-- include read_bounds.sql
),
base as materialized (
  select counted_from, counted_to from read_models.windows
  where shard = $1 and account_id = $2 and hours = $6::smallint
),
-- range = window + (from the window's end to the range's) - (from the window's start to the
-- range's), where a difference that runs backwards counts with the opposite sign.
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
  -- `+ 0` keeps the index on positions out of the plan (docs/design.md, Query plans).
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
-- The top users of the window, corrected. The lowest of them is a bound: another user can be among
-- the top only if its count in the window reaches the bound with the largest correction of all. If
-- the window has fewer users than requested there is no bound, and every user is a candidate.
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
  -- A user who is not a candidate is below the threshold in the window, or not in it. Only without
  -- a threshold do corrections alone make a user count.
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
select 'as_of', '', as_of from bounds
