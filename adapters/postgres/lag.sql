-- How far the read models of each shard are behind its log.
select
  c.shard,
  h.position as head,
  c.position as checkpoint,
  coalesce(greatest(extract(epoch from now() - next.recorded_at), 0), 0)::float8 as seconds
from read_models.checkpoints c
join tidemark.log_heads h using (shard)
left join tidemark.events next on next.shard = c.shard and next.position = c.position + 1
order by c.shard
