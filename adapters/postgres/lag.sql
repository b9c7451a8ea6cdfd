-- How far the read models of each shard lag behind its log.
select
  c.shard,
  h.position as head,
  c.position as checkpoint,
  -- A scalar subquery, so that it is a look-up (docs/design.md, Query plans).
  coalesce(greatest(extract(epoch from now() - (
    select e.recorded_at from tidemark.events e
    where e.shard = c.shard and e.position = c.position + 1
  )), 0), 0)::float8 as seconds
from read_models.checkpoints c
join tidemark.log_heads h using (shard)
order by c.shard
