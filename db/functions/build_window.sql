-- Builds the missing window that was requested first in a shard. It counts up to a checkpoint
-- without any lock, however long that takes, and holds the shard only to add what was folded
-- meanwhile. The window is visible only when it is complete. Returns whether there was one to
-- build.
create or replace function tidemark.build_window(p_shard smallint) returns boolean
language plpgsql
set enable_seqscan = off
-- Groups the users of a large account in memory if they fit.
set work_mem = '128MB'
as $$
declare
  -- Not of a table's row type: after a flip the tables are other ones.
  v_request    record;
  v_counted    bigint;
  v_checkpoint bigint;
  v_from       timestamptz;
  v_to         timestamptz := date_trunc('milliseconds', now());
begin
  -- First of all: this lock on the table keeps other read models from taking the place of these
  -- until the end.
  select position into strict v_counted from read_models.checkpoints where shard = p_shard;
  -- The row lock keeps other projectors from building the same window.
  select * into v_request
  from read_models.window_requests r
  where r.shard = p_shard and not exists (
    select from read_models.windows w
    where w.shard = r.shard and w.account_id = r.account_id and w.hours = r.hours
  )
  order by requested_at limit 1
  for update skip locked;
  if not found then
    return false;
  end if;
  v_from := v_to - make_interval(hours => v_request.hours);

  -- Remains of a window that was given up.
  delete from read_models.window_types t
  where t.shard = p_shard and t.account_id = v_request.account_id and t.hours = v_request.hours;
  delete from read_models.window_users t
  where t.shard = p_shard and t.account_id = v_request.account_id and t.hours = v_request.hours;

  -- `position + 0` keeps the index on positions out of the plan (docs/design.md, Query plans).
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
