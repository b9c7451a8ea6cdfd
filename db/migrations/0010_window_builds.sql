-- Windows are built in one go, beside the steps of the projection, and moved along in pieces as before.

-- How often the windows of a shard were changed. A step that locks the checkpoint has taken its snapshot
-- a moment earlier and may not see a change that was committed in between: it compares this number as locked
-- with this number as seen, and folds nothing when they differ.
alter table read_models.checkpoints add column windows_changed bigint not null default 0;

-- Builds the window that was asked for first in a shard and does not exist. It counts up to a checkpoint without
-- any lock, however long that takes, and holds the shard only to add what was folded meanwhile. Nothing of it
-- can be seen before it is whole. Returns whether there was anything to do.
create function read_models.build_window(p_shard smallint) returns boolean
language plpgsql
set enable_seqscan = off
-- The users of a large account are grouped in memory if they fit.
set work_mem = '128MB'
as $$
declare
  v_request    read_models.window_requests;
  v_counted    bigint;
  v_checkpoint bigint;
  v_from       timestamptz;
  v_to         timestamptz := date_trunc('milliseconds', now());
begin
  -- Before anything else: no other read models can take the place of these until this is done.
  select position into strict v_counted from read_models.checkpoints where shard = p_shard;
  -- The lock keeps other projectors from building the same.
  select * into v_request
  from read_models.window_requests r
  where r.shard = p_shard and not exists (
    select from read_models.windows w
    where w.shard = r.shard and w.account_id = r.account_id and w.hours = r.hours
  )
  order by asked_at limit 1
  for update skip locked;
  if not found then
    return false;
  end if;
  v_from := v_to - make_interval(hours => v_request.hours);

  -- What a window left that was given up.
  delete from read_models.window_types t
  where t.shard = p_shard and t.account_id = v_request.account_id and t.hours = v_request.hours;
  delete from read_models.window_users t
  where t.shard = p_shard and t.account_id = v_request.account_id and t.hours = v_request.hours;

  insert into read_models.window_types (shard, account_id, hours, type, events)
  select p_shard, v_request.account_id, v_request.hours, e.type, count(*)
  from tidemark.events e
  where e.shard = p_shard and e.account_id = v_request.account_id and e.schema_version > 0
    and e.occurred_at >= v_from and e.occurred_at < v_to and e.position + 0 <= v_counted
  group by e.type;
  insert into read_models.window_users (shard, account_id, hours, user_id, events)
  select p_shard, v_request.account_id, v_request.hours, e.user_id, count(*)
  from tidemark.events e
  where e.shard = p_shard and e.account_id = v_request.account_id and e.schema_version > 0
    and e.occurred_at >= v_from and e.occurred_at < v_to and e.position + 0 <= v_counted
  group by e.user_id;

  select position into strict v_checkpoint
  from read_models.checkpoints where shard = p_shard for update;
  with folded as materialized (
    select e.type, e.user_id
    from tidemark.events e
    where e.shard = p_shard and e.position > v_counted and e.position <= v_checkpoint
      and e.account_id = v_request.account_id
      and e.occurred_at >= v_from and e.occurred_at < v_to
  ),
  types as (
    insert into read_models.window_types as t (shard, account_id, hours, type, events)
    select p_shard, v_request.account_id, v_request.hours, type, count(*) from folded group by type
    on conflict (shard, account_id, hours, type) do update set events = t.events + excluded.events
  )
  insert into read_models.window_users as t (shard, account_id, hours, user_id, events)
  select p_shard, v_request.account_id, v_request.hours, user_id, count(*) from folded group by user_id
  on conflict (shard, account_id, hours, user_id) do update set events = t.events + excluded.events;

  insert into read_models.windows (shard, account_id, hours, counted_from, counted_to)
  values (p_shard, v_request.account_id, v_request.hours, v_from, v_to);
  update read_models.checkpoints set windows_changed = windows_changed + 1 where shard = p_shard;
  delete from read_models.window_requests r
  where r.shard = p_shard and r.account_id = v_request.account_id and r.hours = v_request.hours;
  return true;
end
$$;

-- Moves the window that was asked for first in a shard a piece along, towards the present. A piece
-- counts about p_events_max events in and as many out, which bounds how long it holds the shard.
-- Returns whether there was anything to do.
create or replace function read_models.advance_window(p_shard smallint, p_events_max int)
returns boolean
language plpgsql
set enable_seqscan = off
as $$
declare
  v_checkpoint bigint;
  v_length     interval;
  v_window     read_models.windows;
  v_from       timestamptz;
  v_to         timestamptz;
begin
  select position into v_checkpoint
  from read_models.checkpoints where shard = p_shard for update skip locked;
  if not found then
    return false;
  end if;
  select w.* into v_window
  from read_models.window_requests r
  join read_models.windows w using (shard, account_id, hours)
  where r.shard = p_shard order by r.asked_at limit 1;
  if not found then
    return false;
  end if;
  v_length := make_interval(hours => v_window.hours);
  update read_models.checkpoints set windows_changed = windows_changed + 1 where shard = p_shard;

  -- Nothing of a window that nobody asked for in so long is of use: it is given up, and built anew.
  if v_window.counted_to <= now() - v_length then
    delete from read_models.windows w
    where w.shard = p_shard and w.account_id = v_window.account_id and w.hours = v_window.hours;
    return true;
  end if;

  v_to := read_models.piece_end(
    p_shard, v_window.account_id, v_window.counted_to, now(), p_events_max);
  v_from := read_models.piece_end(
    p_shard, v_window.account_id, v_window.counted_from, now() - v_length, p_events_max);

  with changed as materialized (
    select r.sign, e.type, e.user_id, e.position
    from (values (1, v_window.counted_to, v_to), (-1, v_window.counted_from, v_from))
      as r (sign, lo, hi)
    join tidemark.events e
      on e.shard = p_shard and e.account_id = v_window.account_id and e.schema_version > 0
      and e.occurred_at >= r.lo and e.occurred_at < r.hi
    where e.position + 0 <= v_checkpoint
  ),
  types as (
    insert into read_models.window_types as t (shard, account_id, hours, type, events)
    select p_shard, v_window.account_id, v_window.hours, type, sum(sign) from changed group by type
    on conflict (shard, account_id, hours, type) do update set events = t.events + excluded.events
  )
  insert into read_models.window_users as t (shard, account_id, hours, user_id, events)
  select p_shard, v_window.account_id, v_window.hours, user_id, sum(sign)
  from changed group by user_id having sum(sign) <> 0
  on conflict (shard, account_id, hours, user_id) do update set events = t.events + excluded.events;

  delete from read_models.window_users t
  where t.shard = p_shard and t.account_id = v_window.account_id and t.hours = v_window.hours
    and t.events = 0;

  update read_models.windows w set counted_from = v_from, counted_to = v_to
  where w.shard = p_shard and w.account_id = v_window.account_id and w.hours = v_window.hours;

  if v_to >= now() and v_from >= now() - v_length then
    delete from read_models.window_requests r
    where r.shard = p_shard and r.account_id = v_window.account_id and r.hours = v_window.hours;
  end if;
  return true;
end
$$;
