-- The live read models: rows folded from the log, and how far the fold has come.

create schema read_models;

-- The first position that is not folded yet is the one behind `position`. The row is also the lease:
-- who has it locked is the one projector of this shard.
create table read_models.checkpoints (
  shard    smallint primary key,
  position bigint   not null
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
