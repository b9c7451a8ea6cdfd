-- Records an event as poisoned and moves the checkpoint past it, if it is the next of its shard.
-- $1 shard, $2 position, $3 reason
with lease as (
  select position from read_models.checkpoints where shard = $1 and position = $2::bigint - 1
  for update skip locked
),
bounds as materialized (
  select l.position as lo, l.position + 1 as hi
  from lease l, tidemark.log_heads h
  where h.shard = $1 and h.position > l.position
),
recorded as (
  insert into read_models.poisoned_events (shard, position, reason)
  select $1, hi, $3 from bounds
  on conflict do nothing
),
moved as (
  update read_models.checkpoints c set position = b.hi from bounds b where c.shard = $1
)
select lo, hi, array(
  select e.account_id from tidemark.events e where e.shard = $1 and e.position = b.hi
) as accounts
from bounds b
