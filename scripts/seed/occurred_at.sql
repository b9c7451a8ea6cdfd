-- When an event of the log happened, in milliseconds since the Unix epoch.
-- $1 shard, $2 event_id, $3 account_id
select (extract(epoch from occurred_at) * 1000)::float8 as "occurredAt"
from tidemark.events
where shard = $1 and event_id = $2 and account_id = $3
