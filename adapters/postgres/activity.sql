-- The counts of one account by bucket and type, in one statement and so as of one moment: whole
-- hours from the read model, and the partial hours at both ends from the log's time index up to the
-- checkpoint.
-- $1 shard, $2 account, $3 start of the range, $4 and $5 its whole hours, $6 its end, $7 length of
-- a bucket, $8 type or null, $9 most counts
with bounds as materialized (
-- include read_bounds.sql
),
edges (lo, hi) as materialized (
  values ($3::timestamptz, $4::timestamptz), ($5::timestamptz, $6::timestamptz)
),
parts as (
  select a.hour as at, a.type, a.events
  from read_models.activity_by_type a
  where a.shard = $1 and a.account_id = $2 and a.hour >= $4 and a.hour < $5
  union all
  select e.occurred_at, e.type, 1
  from edges
  join tidemark.events e
    on e.shard = $1 and e.account_id = $2 and e.schema_version > 0
    and e.occurred_at >= lo and e.occurred_at < hi
  -- `+ 0` keeps the index on positions out of the plan (docs/design.md, Query plans).
  where e.position + 0 <= (select checkpoint from bounds)
),
counts as (
  select date_bin($7::interval, at, timestamptz 'epoch') as start, type, sum(events)::bigint as events
  from parts
  where $8::text is null or type = $8
  group by 1, 2
  limit $9
)
select (extract(epoch from start) * 1000)::bigint as start, type, events from counts
union all
select null, null, as_of from bounds
