-- Moves the window that was requested first in a shard one piece towards the present. A piece adds
-- about p_events_max events and removes as many, which bounds how long it holds the shard. Returns
-- whether there was one to move.
create or replace function tidemark.advance_window(p_shard smallint, p_events_max int)
returns boolean
language plpgsql
set enable_seqscan = off
as $$
declare
  v_checkpoint bigint;
  v_length     interval;
  -- Not of a table's row type: after a flip the tables are other ones.
  v_window     record;
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
  where r.shard = p_shard order by r.requested_at limit 1;
  if not found then
    return false;
  end if;
  v_length := make_interval(hours => v_window.hours);
  update read_models.checkpoints set windows_changed = windows_changed + 1 where shard = p_shard;

  -- Every event of the window is too old to count: it is dropped, and then built again.
  if v_window.counted_to <= now() - v_length then
    delete from read_models.windows w
    where w.shard = p_shard and w.account_id = v_window.account_id and w.hours = v_window.hours;
    return true;
  end if;

  v_to := tidemark.window_piece_end(
    p_shard, v_window.account_id, v_window.counted_to, now(), p_events_max);
  v_from := tidemark.window_piece_end(
    p_shard, v_window.account_id, v_window.counted_from, now() - v_length, p_events_max);

  -- `position + 0` keeps the index on positions out of the plan (docs/design.md, Query plans).
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
