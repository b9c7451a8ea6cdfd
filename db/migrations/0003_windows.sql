-- Rolling windows: precomputed counts of `last_24h` and `last_7d` for accounts with many events.
--
-- A window counts exactly the folded events of its account with counted_from <= occurred_at <
-- counted_to. A summary of the same length corrects it at both ends by the events between the
-- window's bounds and its own. Summaries that need large corrections request upkeep, which moves
-- the bounds along. Whoever writes to a window holds the lock on the shard's checkpoint, as a step
-- of the projection does.

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

-- The most active users first.
create index window_users_activity
  on read_models.window_users (shard, account_id, hours, events desc, user_id);

-- Windows that summaries requested, to be built or advanced.
create table read_models.window_requests (
  requested_at timestamptz not null default now(),
  shard        smallint    not null,
  hours        smallint    not null,
  account_id   text        not null collate "C",
  primary key (shard, account_id, hours)
);
