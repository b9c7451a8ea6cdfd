-- How far the read models of each shard are behind its log.
select
  c.shard,
  h.position as head,
  c.position as checkpoint,
  -- A subquery, which looks the next event up. A join is planned as a scan of a young log.
  coalesce(greatest(extract(epoch from now() - (
    select e.recorded_at from tidemark.events e
    where e.shard = c.shard and e.position = c.position + 1
  )), 0), 0)::float8 as seconds
from read_models.checkpoints c
join tidemark.log_heads h using (shard)
order by c.shard
