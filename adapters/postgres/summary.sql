-- The summary of one account over a range, in one statement and so of one moment: whole hours from
-- the read models, the parts of hours at both ends from the log up to the checkpoint.
-- $1 shard, $2 account, $3..$8 the head, hours and tail of the range (core/summary/hours.ts),
-- $9 how many top users
with bounds as materialized (
  select c.position as checkpoint, h.position as head
  from read_models.checkpoints c join tidemark.log_heads h using (shard)
  where shard = $1
),
edges as materialized (
  select type, user_id from tidemark.events
  where shard = $1 and account_id = $2
    and occurred_at >= $3::timestamptz and occurred_at < $4::timestamptz
    and position <= (select checkpoint from bounds)
  union all
  select type, user_id from tidemark.events
  where shard = $1 and account_id = $2
    and occurred_at >= $7::timestamptz and occurred_at < $8::timestamptz
    and position <= (select checkpoint from bounds)
),
totals as (
  select type, sum(events)::bigint as events
  from (
    select type, events from read_models.activity_by_type
    where shard = $1 and account_id = $2
      and hour >= $5::timestamptz and hour < $6::timestamptz
    union all
    select type, count(*) from edges group by type
  ) parts
  group by type
),
users as (
  select user_id, sum(events)::bigint as events
  from (
    select user_id, events from read_models.activity_by_user
    where shard = $1 and account_id = $2
      and hour >= $5::timestamptz and hour < $6::timestamptz
    union all
    select user_id, count(*) from edges group by user_id
  ) parts
  group by user_id
  order by events desc, user_id
  limit $9
)
select 'total' as kind, type as name, events from totals
union all
select 'user', user_id, events from users
union all
-- All that was in the log until then is counted: now, or when the first uncounted event came.
select 'as_of', '', floor(extract(epoch from coalesce(
  (select e.recorded_at from tidemark.events e
   where b.head > b.checkpoint and e.shard = $1 and e.position = b.checkpoint + 1),
  statement_timestamp())) * 1000)::bigint
from bounds b
