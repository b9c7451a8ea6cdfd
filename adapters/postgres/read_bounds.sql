-- The bounds of a read of one shard ($1). It counts the events up to the checkpoint, which are all
-- events that were in the log at `as_of`: now, or when the first event was recorded that is not
-- folded yet.
select
  c.position as checkpoint,
  c.generation,
  floor(extract(epoch from coalesce(
    -- A scalar subquery, so that it is a look-up (docs/design.md, Query plans).
    (select e.recorded_at from tidemark.events e
     where h.position > c.position and e.shard = $1 and e.position = c.position + 1),
    statement_timestamp())) * 1000)::bigint as as_of
from read_models.checkpoints c join tidemark.log_heads h using (shard)
where c.shard = $1
