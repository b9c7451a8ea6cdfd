-- The live read models: rows folded from the log, and how far the fold has come.

create schema read_models;

-- `position` is the last folded position. The row lock is the lease of a shard: whoever holds it is
-- its only projector.
create table read_models.checkpoints (
  shard           smallint primary key,
  position        bigint   not null,
  -- Counts the changes to the shard's windows. A step takes its snapshot before it locks the
  -- checkpoint and can miss a window change that was committed in between. It compares this number
  -- as locked with this number as seen, and folds nothing if they differ.
  windows_changed bigint   not null default 0,
  -- Reading a checkpoint also tells which generation was read.
  generation      int      not null default 1
) with (fillfactor = 10);

-- Events that could not be folded and were skipped.
create table read_models.poisoned_events (
  shard      smallint    not null,
  position   bigint      not null,
  reason     text        not null,
  skipped_at timestamptz not null default now(),
  primary key (shard, position)
);

create table read_models.activity_by_type (
  hour       timestamptz not null,
  events     bigint      not null,
  shard      smallint    not null,
  account_id text        not null collate "C",
  type       text        not null collate "C",
  primary key (shard, account_id, hour, type)
) with (fillfactor = 80);

-- Generations of the read models. Each is a schema: `read_models` is the live one, whatever its
-- number; `read_models_<number>` is any other. A rebuild fills the next generation beside the live
-- one and then swaps names.
create table tidemark.generations (
  number     int         primary key,
  state      text        not null check (state in ('building', 'live', 'retired')),
  -- The version of each read model (core/projection/read_models.ts) that it was built with.
  versions   jsonb       not null,
  started_at timestamptz not null default now(),
  flipped_at timestamptz
);

create unique index generations_one_each on tidemark.generations (state) where state <> 'retired';

insert into tidemark.generations (number, state, versions, flipped_at)
values (1, 'live', '{"activity_by_type": 1}', now());
