-- A page of the events of one account, newest first, up to the checkpoint; `pageOf` in
-- core/log/account_events.ts is its definition. The time index finds the page wherever in the list
-- it begins, and only the rows of the page are fetched.
-- $1 shard, $2 account, $3 from, $4 and $5 instant and position that the page comes before, $6 type
-- or null, $7 last position or null, $8 most events, $9 most bytes, $10 most events to scan
--
-- Every row repeats the columns of the page beside its event; a page without events is one row
-- without an event.
with bounds as materialized (
-- include read_bounds.sql
),
-- One more than requested, to know whether there is a next page.
listed as materialized (
  select occurred_at, position
  from (
    select e.occurred_at, e.position, e.type
    from tidemark.events e
    where e.shard = $1 and e.account_id = $2 and e.schema_version > 0
      and e.occurred_at >= $3::timestamptz
      and (e.occurred_at, e.position) < ($4::timestamptz, $5::bigint)
    order by e.occurred_at desc, e.position desc
    limit $10
  ) scanned
  where position <= (select least(checkpoint, $7::bigint) from bounds)
    and ($6::text is null or type = $6)
  order by occurred_at desc, position desc
  limit $8::bigint + 1
),
page as materialized (
  select
    e.*,
    row_number() over newest as n,
    sum(200 + octet_length(e.account_id) + octet_length(e.event_id) + octet_length(e.user_id)
      + octet_length(e.type) + coalesce(octet_length(e.metadata), 0)) over newest as bytes
  from listed l
  cross join lateral (
    select
      shard, position, occurred_at, recorded_at, fingerprint, account_id, event_id, user_id, type,
      metadata::text as metadata
    from tidemark.events
    where shard = $1 and position = l.position
    -- Keeps this a look-up for each row (docs/design.md, Query plans).
    offset 0
  ) e
  window newest as (order by e.occurred_at desc, e.position desc)
),
-- Where the scan ended, if it found less than a page. A second scan, because few pages need it.
ended as materialized (
  select case when (select count(*) from listed) <= $8::bigint then (
    select array[(extract(epoch from e.occurred_at) * 1000)::bigint, e.position]
    from tidemark.events e
    where e.shard = $1 and e.account_id = $2 and e.schema_version > 0
      and e.occurred_at >= $3::timestamptz
      and (e.occurred_at, e.position) < ($4::timestamptz, $5::bigint)
    order by e.occurred_at desc, e.position desc
    offset $10::bigint - 1 limit 1
  ) end as at
)
select
  least(b.checkpoint, $7::bigint) as "upTo",
  b.as_of as "asOf",
  (select count(*) from listed) as listed,
  ended.at[1] as "endedAt",
  ended.at[2] as "endedPosition",
  p.shard,
  p.position,
  p.account_id as "accountId",
  p.event_id as "eventId",
  p.user_id as "userId",
  p.type,
  (extract(epoch from p.occurred_at) * 1000)::bigint as "occurredAt",
  floor(extract(epoch from p.recorded_at) * 1000)::bigint as "recordedAt",
  p.fingerprint,
  p.metadata
from bounds b
cross join ended
left join page p on p.n <= $8 and (p.n = 1 or p.bytes <= $9)
order by p.n
