-- Windows: for accounts with many events, the counts of `last_24h` and `last_7d`, kept ready.
--
-- A window counts exactly the folded events of its account with counted_from <= occurred_at < counted_to.
-- A summary of the same length corrects it by the events between those bounds and its own, at both
-- ends; what moves the bounds along is upkeep, which summaries ask for when they had much to correct.
-- Everything that writes here holds the lock on the shard's checkpoint, like a step of the projection.

create table read_models.windows (
  counted_from timestamptz not null,
  counted_to   timestamptz not null,
  shard        smallint    not null,
  hours        smallint    not null,
  account_id   text        not null collate "C",
  primary key (shard, account_id, hours)
) with (fillfactor = 50);

create table read_models.window_types (
  events     bigint   not null,
  shard      smallint not null,
  hours      smallint not null,
  account_id text     not null collate "C",
  type       text     not null collate "C",
  primary key (shard, account_id, hours, type)
) with (fillfactor = 50);

create table read_models.window_users (
  events     bigint   not null,
  shard      smallint not null,
  hours      smallint not null,
  account_id text     not null collate "C",
  user_id    text     not null collate "C",
  primary key (shard, account_id, hours, user_id)
) with (fillfactor = 80);

-- The most active users come first.
create index window_users_activity
  on read_models.window_users (shard, account_id, hours, events desc, user_id);

-- Which windows summaries want moved along.
create table read_models.window_requests (
  asked_at   timestamptz not null default now(),
  shard      smallint    not null,
  hours      smallint    not null,
  account_id text        not null collate "C",
  primary key (shard, account_id, hours)
);

-- Moves the window that was asked for first in a shard a piece along, towards the present. A piece
-- counts about p_events_max events in and as many out, which bounds how long it holds the shard.
-- Returns whether there was anything to do.
create function read_models.advance_window(p_shard smallint, p_events_max int) returns boolean
language plpgsql
set enable_seqscan = off
as $$
declare
  v_checkpoint bigint;
  v_request    read_models.window_requests;
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
  select * into v_request
  from read_models.window_requests where shard = p_shard order by asked_at limit 1;
  if not found then
    return false;
  end if;
  v_length := make_interval(hours => v_request.hours);

  select * into v_window
  from read_models.windows w
  where w.shard = p_shard and w.account_id = v_request.account_id and w.hours = v_request.hours;

  -- Nothing of a window that nobody asked for in so long is of use: begin anew.
  if found and v_window.counted_to <= now() - v_length then
    delete from read_models.windows w
    where w.shard = p_shard and w.account_id = v_request.account_id and w.hours = v_request.hours;
    delete from read_models.window_types w
    where w.shard = p_shard and w.account_id = v_request.account_id and w.hours = v_request.hours;
    delete from read_models.window_users w
    where w.shard = p_shard and w.account_id = v_request.account_id and w.hours = v_request.hours;
    v_window := null;
  end if;
  if v_window.shard is null then
    insert into read_models.windows (shard, account_id, hours, counted_from, counted_to)
    values (p_shard, v_request.account_id, v_request.hours, now() - v_length, now() - v_length)
    returning * into v_window;
  end if;

  v_to := read_models.piece_end(
    p_shard, v_request.account_id, v_window.counted_to, now(), p_events_max);
  v_from := read_models.piece_end(
    p_shard, v_request.account_id, v_window.counted_from, now() - v_length, p_events_max);

  with changed as materialized (
    select r.sign, e.type, e.user_id, e.position
    from (values (1, v_window.counted_to, v_to), (-1, v_window.counted_from, v_from))
      as r (sign, lo, hi)
    join tidemark.events e
      on e.shard = p_shard and e.account_id = v_request.account_id and e.schema_version > 0
      and e.occurred_at >= r.lo and e.occurred_at < r.hi
    where e.position + 0 <= v_checkpoint
  ),
  types as (
    insert into read_models.window_types as t (shard, account_id, hours, type, events)
    select p_shard, v_request.account_id, v_request.hours, type, sum(sign) from changed group by type
    on conflict (shard, account_id, hours, type) do update set events = t.events + excluded.events
  )
  insert into read_models.window_users as t (shard, account_id, hours, user_id, events)
  select p_shard, v_request.account_id, v_request.hours, user_id, sum(sign)
  from changed group by user_id having sum(sign) <> 0
  on conflict (shard, account_id, hours, user_id) do update set events = t.events + excluded.events;

  delete from read_models.window_users t
  where t.shard = p_shard and t.account_id = v_request.account_id and t.hours = v_request.hours
    and t.events = 0;

  update read_models.windows w set counted_from = v_from, counted_to = v_to
  where w.shard = p_shard and w.account_id = v_request.account_id and w.hours = v_request.hours;

  if v_to >= now() and v_from >= now() - v_length then
    delete from read_models.window_requests r
    where r.shard = p_shard and r.account_id = v_request.account_id and r.hours = v_request.hours;
  end if;
  return true;
end
$$;

-- Where a piece ends that begins at p_lo, holds about p_events_max events of the account at most,
-- and does not go beyond p_hi. Never before p_lo; behind it if p_hi is, so
-- that every piece is a step forward.
create function read_models.piece_end(
  p_shard smallint, p_account_id text, p_lo timestamptz, p_hi timestamptz, p_events_max int
) returns timestamptz
language sql stable
as $$
  select greatest(p_lo, least(p_hi, greatest(
    coalesce((
      select e.occurred_at from tidemark.events e
      where e.shard = p_shard and e.account_id = p_account_id and e.schema_version > 0
        and e.occurred_at >= p_lo and e.occurred_at < p_hi
      order by e.occurred_at offset p_events_max limit 1
    ), p_hi),
    p_lo + interval '1 millisecond')))
$$;
