-- Events of one shard in the order of the log.
-- $1 shard, $2 position after which to read, $3 most events
select
  shard,
  position,
  account_id as "accountId",
  event_id as "eventId",
  user_id as "userId",
  type,
  (extract(epoch from occurred_at) * 1000)::bigint as "occurredAt",
  floor(extract(epoch from recorded_at) * 1000)::bigint as "recordedAt",
  fingerprint,
  metadata::text as metadata
from tidemark.events
where shard = $1 and position > $2
order by position
limit $3
