-- Appends events to one shard: those whose identity is new, in the order given, at the next positions.
-- Arrays run in parallel, one element an event; each identity at most once per call.
-- Returns the indexes (from 0) of the events that were not new.
--
-- Why positions have no gaps and never appear out of order: the lock on the head row is held until
-- the commit, so the transactions that append to a shard run one after the other, and each statement
-- after the lock (READ COMMITTED) sees all that the one before it committed.
create function tidemark.append(
  p_shard        smallint,
  p_account_ids  text[],
  p_event_ids    text[],
  p_user_ids     text[],
  p_types        text[],
  p_occurred_at  float8[],  -- milliseconds since the Unix epoch
  p_fingerprints bigint[],
  p_metadata     text[],
  out duplicates int[],
  out conflicts  int[]
)
language plpgsql
-- A plan made while the log was empty is kept for long, so it must not be a scan of the log.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_head     bigint;
  v_appended bigint;
begin
  select position into strict v_head from tidemark.log_heads where shard = p_shard for update;

  with incoming as materialized (
    select
      i.*,
      -- A subquery, which looks each identity up by the primary key. A join would be planned, and on
      -- a log without statistics planned badly.
      (
        select e.fingerprint from tidemark.events e
        where e.shard = p_shard and e.event_id = i.event_id and e.account_id = i.account_id
      ) as known
    from unnest(
      p_account_ids, p_event_ids, p_user_ids, p_types, p_occurred_at, p_fingerprints, p_metadata
    ) with ordinality as i (
      account_id, event_id, user_id, type, occurred_at, fingerprint, metadata, ordinal
    )
  ),
  appended as (
    insert into tidemark.events (
      position, occurred_at, recorded_at, fingerprint, shard,
      account_id, event_id, user_id, type, metadata
    )
    select
      v_head + row_number() over (order by ordinal),
      to_timestamp(occurred_at / 1000), clock_timestamp(), fingerprint, p_shard,
      account_id, event_id, user_id, type, metadata::json
    from incoming
    where known is null
  )
  select
    count(*) filter (where known is null),
    array_agg(ordinal - 1 order by ordinal) filter (where known = fingerprint),
    array_agg(ordinal - 1 order by ordinal) filter (where known <> fingerprint)
  into v_appended, duplicates, conflicts
  from incoming;

  if v_appended > 0 then
    update tidemark.log_heads set position = v_head + v_appended where shard = p_shard;
  end if;
end
$$;
