-- Records an event as poisoned and moves the checkpoint past it, if it is the next of its shard.
-- $1 shard, $2 position, $3 reason
with lease as (
  select position, windows_changed
  from read_models.checkpoints where shard = $1 and position = $2::bigint - 1
  for update skip locked
),
bounds as materialized (
  select l.position as lo, l.position + 1 as hi
  from lease l, tidemark.log_heads h, read_models.checkpoints seen
  where h.shard = $1 and h.position > l.position
    and seen.shard = $1 and seen.windows_changed = l.windows_changed
),
event as materialized (
  select e.account_id, e.occurred_at, e.recorded_at from bounds b, tidemark.events e
  where e.shard = $1 and e.position = b.hi
),
-- Nothing can add this event to a window. Windows that should contain it are dropped, and then
-- rebuilt from the log.
unwindowed as (
  delete from read_models.windows w using event e
  where w.shard = $1 and w.account_id = e.account_id
    and e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to
  returning 1
),
recorded as (
  insert into read_models.poisoned_events (shard, position, reason)
  select $1, hi, $3 from bounds
  on conflict do nothing
),
moved as (
  update read_models.checkpoints c
  set position = b.hi, windows_changed = c.windows_changed + (select count(*) from unwindowed)
  from bounds b where c.shard = $1
)
select lo, hi,
  (select count(*) from event) as events,
  array(select account_id from event) as accounts,
  (select floor(extract(epoch from recorded_at) * 1000)::bigint from event) as "oldestRecordedAt"
from bounds
