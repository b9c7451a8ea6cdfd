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
-- The arrays are small against the log: look every identity up by index, whatever the statistics of
-- a log that grew a moment ago make of it. A plan with a scan of the log would be cached, too.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
  v_head     bigint;
  v_appended bigint;
begin
  select position into strict v_head from tidemark.log_heads where shard = p_shard for update;

  insert into tidemark.events (
    position, occurred_at, recorded_at, fingerprint, shard,
    account_id, event_id, user_id, type, metadata
  )
  select
    v_head + row_number() over (order by i.ordinal),
    to_timestamp(i.occurred_at / 1000), clock_timestamp(), i.fingerprint, p_shard,
    i.account_id, i.event_id, i.user_id, i.type, i.metadata::json
  from unnest(
    p_account_ids, p_event_ids, p_user_ids, p_types, p_occurred_at, p_fingerprints, p_metadata
  ) with ordinality as i (
    account_id, event_id, user_id, type, occurred_at, fingerprint, metadata, ordinal
  )
  where not exists (
    select from tidemark.events e
    where e.shard = p_shard and e.account_id = i.account_id and e.event_id = i.event_id
  );
  get diagnostics v_appended = row_count;

  update tidemark.log_heads set position = v_head + v_appended
  where shard = p_shard and v_appended > 0;

  if v_appended < cardinality(p_account_ids) then
    select
      array_agg(i.ordinal - 1 order by i.ordinal) filter (where e.fingerprint = i.fingerprint),
      array_agg(i.ordinal - 1 order by i.ordinal) filter (where e.fingerprint <> i.fingerprint)
    into duplicates, conflicts
    from unnest(p_account_ids, p_event_ids, p_fingerprints)
      with ordinality as i (account_id, event_id, fingerprint, ordinal)
    join tidemark.events e
      on e.shard = p_shard and e.account_id = i.account_id and e.event_id = i.event_id
    -- What this call appended lies behind the old head.
    where e.position <= v_head;
  end if;
end
$$;
