-- Written by: UPDATE_SNAPSHOTS=1 npm test -- adapters/postgres/read_model_sql.test.ts

-- step
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
activity_by_type as (
  insert into read_models.activity_by_type as t (shard, account_id, hour, type, events)
  select $1, account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch') as hour, type, count(*)
  from slice
  group by 2, 3, 4
  on conflict (shard, account_id, hour, type) do update set events = t.events + excluded.events
),
late as materialized (
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
from bounds;

-- fold the first range into activity_by_type
-- Separate from the sort, so that the groups are counted in a hash table. The planner cannot know
-- that there are far fewer groups than events, and would sort the events.
with counts as materialized (
  select account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch') as hour, type, count(*) as events
  from tidemark.events
  where shard = $1::smallint and position > $2::bigint and position <= $3::bigint
  group by 1, 2, 3
)
insert into read_models.activity_by_type as t (shard, account_id, hour, type, events)
select $1::smallint, account_id, hour, type, events from counts
order by account_id, hour, type;

-- fold a later range into activity_by_type
-- Separate from the sort, so that the groups are counted in a hash table. The planner cannot know
-- that there are far fewer groups than events, and would sort the events.
with counts as materialized (
  select account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch') as hour, type, count(*) as events
  from tidemark.events
  where shard = $1::smallint and position > $2::bigint and position <= $3::bigint
  group by 1, 2, 3
)
insert into read_models.activity_by_type as t (shard, account_id, hour, type, events)
select $1::smallint, account_id, hour, type, events from counts
order by account_id, hour, type
on conflict (shard, account_id, hour, type) do update set events = t.events + excluded.events;

-- compare activity_by_type with generation 2
with positions as materialized (
  select l.position as live, o.position as other
  from read_models.checkpoints l join read_models_2.checkpoints o using (shard)
  where l.shard = $1
),
counted (events, hash) as (
  select events, hash_record_extended(row(account_id, hour, type), 0) from read_models.activity_by_type where shard = $1
  union all
  select -events, hash_record_extended(row(account_id, hour, type), 0) from read_models_2.activity_by_type where shard = $1
  union all
  -- Events that only one of them has folded.
  select case when other > live then 1 else -1 end, hash_record_extended(row(account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch'), type), 0)
  from positions
  join tidemark.events e
    on e.shard = $1 and e.position > least(live, other) and e.position <= greatest(live, other)
  union all
  -- Events that the live one has skipped.
  select 1, hash_record_extended(row(account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch'), type), 0)
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
select excess::bigint as excess, excess = 0 and low = 0 and high = 0 as same from sums;

-- verify activity_by_type
select json_build_object('account_id', account_id, 'hour', hour, 'type', type)::text as key, live.events as live, log.events as log
from (
  select account_id, date_bin('1 hour', occurred_at, timestamptz 'epoch') as hour, type, count(*) as events
  from tidemark.events e
  where e.shard = 3 and e.position + 0 <= 1000 and not exists (
    select from read_models.poisoned_events p where p.shard = e.shard and p.position = e.position
  )
  group by 1, 2, 3
) log
full join (select * from read_models.activity_by_type where shard = 3) live
  using (account_id, hour, type)
where live.events is distinct from log.events;

-- verify window_types
select
  json_build_object('account_id', account_id, 'hours', hours, 'type', type)::text as key,
  live.events as live, log.events as log
from (
  select w.account_id, w.hours, e.type, count(*) as events
  from read_models.windows w
  join tidemark.events e
    on e.shard = 3 and e.account_id = w.account_id and e.schema_version > 0
    and e.position + 0 <= 1000
    and e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to
  where w.shard = 3
  group by 1, 2, 3
) log
full join (select * from read_models.window_types where shard = 3) live
  using (account_id, hours, type)
where coalesce(live.events, 0) <> coalesce(log.events, 0);

-- verify window_users
select
  json_build_object('account_id', account_id, 'hours', hours, 'user_id', user_id)::text as key,
  live.events as live, log.events as log
from (
  select w.account_id, w.hours, e.user_id, count(*) as events
  from read_models.windows w
  join tidemark.events e
    on e.shard = 3 and e.account_id = w.account_id and e.schema_version > 0
    and e.position + 0 <= 1000
    and e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to
  where w.shard = 3
  group by 1, 2, 3
) log
full join (select * from read_models.window_users where shard = 3) live
  using (account_id, hours, user_id)
where coalesce(live.events, 0) <> coalesce(log.events, 0);
