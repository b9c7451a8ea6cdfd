-- The event log: append-only, each identity once, positions dense per shard. tidemark.append is its
-- only writer.

-- Text is compared by bytes: ids belong to no language, and summaries promise byte order.
create table tidemark.events (
  position       bigint      not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  -- 53-bit hash of the payload: separates duplicates from conflicts (core/event/decode.ts).
  fingerprint    bigint      not null,
  -- hash(account_id) mod the number of shards (core/event/shard.ts).
  shard          smallint    not null,
  -- Version of the payload's shape, should it ever need upcasting on read.
  schema_version smallint    not null default 1,
  account_id     text        not null collate "C",
  event_id       text        not null collate "C",
  user_id        text        not null collate "C",
  type           text        not null collate "C",
  -- json, not jsonb: stored as it was sent.
  metadata       json,
  primary key (event_id, account_id, shard),
  constraint events_position unique (position, shard)
) partition by list (shard);

-- An account's events by time and position: serves summaries, time series and event listings. It
-- includes every column that a summary counts, so counting thousands of events fetches no rows.
--
-- Every query of the log has exactly one index that can serve it: no two of the three indexes begin
-- with the same columns, and the always-true condition hides this one from queries that do not
-- repeat it. docs/design.md (Query plans) explains why.
create index events_account_time on tidemark.events (account_id, occurred_at, position)
  include (type, user_id, shard) where schema_version > 0;

-- The last position of each shard. The row lock serializes the appends to a shard. Every append
-- updates a row; the free space keeps these updates in place (HOT).
create table tidemark.log_heads (
  shard    smallint primary key,
  position bigint   not null
) with (fillfactor = 10);

-- Identifies this log. Keys and channels in Redis carry the id, so that two logs that share a Redis
-- never mix, and values in Redis are signed with the secret, which only roles that can read this
-- database know.
create table tidemark.log_identity (
  only_row boolean primary key default true check (only_row),
  id       uuid    not null default gen_random_uuid(),
  secret   bytea   not null default
    sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea)
);

insert into tidemark.log_identity default values;
