-- Appends events to one shard: those whose identity is new, in the given order, at the next
-- positions. The arrays run in parallel, one element per event; an identity may occur once per
-- call. Returns the indexes (from 0) of the events that were not new: duplicates have the payload
-- of the stored event, conflicts another one.
--
-- Positions are dense and in commit order: the lock on the head row is held until the commit, so
-- the transactions that append to a shard run one after the other, and each statement after the
-- lock (READ COMMITTED) sees everything that the previous one committed.
--
-- Its callers may not write to the log, so this function enforces the log's invariants: dense
-- positions, unique identities, recorded_at from the clock of this server, and times in range. It
-- cannot check which shard an account belongs to, since core/event/shard.ts computes that.
create or replace function tidemark.append(
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
security definer
-- Unqualified names resolve to Postgres's own objects, never to a caller's temporary ones.
set search_path = pg_catalog, pg_temp
-- A session can keep for long a plan that it made while the log was empty, so no plan may scan the
-- log.
set enable_seqscan = off
set enable_bitmapscan = off
-- Every query below has one good plan for any number of events. Planning each call costs over 1 µs
-- per event.
set plan_cache_mode = force_generic_plan
-- A worker that freezes in the middle of an append must not block the others from all their shards.
set lock_timeout = '1s'
as $$
declare
  v_count    constant int := cardinality(p_account_ids);
  v_head     bigint;
  v_appended bigint;
begin
  -- `unnest` would pad shorter arrays with nulls, and metadata may be null.
  if not coalesce(
    cardinality(p_event_ids) = v_count and cardinality(p_user_ids) = v_count
    and cardinality(p_types) = v_count and cardinality(p_occurred_at) = v_count
    and cardinality(p_fingerprints) = v_count and cardinality(p_metadata) = v_count, false)
  then
    raise exception 'the arrays of an append differ in length'
      using errcode = 'invalid_parameter_value';
  end if;
  -- Years 1 to 9999. NaN and infinity are out of range, too.
  if exists (
    select from unnest(p_occurred_at) as o (ms)
    where not ms between -62135596800000 and 253402300799999
  ) then
    raise exception 'the time of an event is out of range'
      using errcode = 'datetime_field_overflow';
  end if;

  select position into strict v_head from tidemark.log_heads where shard = p_shard for update;

  with incoming as materialized (
    select
      i.*,
      -- A scalar subquery looks each identity up by the primary key. A join would be planned, and
      -- planned badly on a log without statistics.
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
    coalesce(array_agg(ordinal - 1 order by ordinal) filter (where known = fingerprint), '{}'),
    coalesce(array_agg(ordinal - 1 order by ordinal) filter (where known <> fingerprint), '{}')
  into strict v_appended, duplicates, conflicts
  from incoming;

  assert v_appended + cardinality(duplicates) + cardinality(conflicts) = v_count,
    'every event of an append is new, a duplicate or a conflict';
  if v_appended > 0 then
    update tidemark.log_heads set position = v_head + v_appended where shard = p_shard;
  end if;
end
$$;

revoke execute on function tidemark.append from public;
