-- The event log: append-only, each identity once, positions dense per shard.

-- Text is compared by bytes: ids have no language, and summaries promise byte order.
create table tidemark.events (
  position       bigint      not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  -- 53-bit hash of the payload: tells a duplicate from a conflict (core/event/decode.ts).
  fingerprint    bigint      not null,
  -- hash(account_id) mod the number of shards (core/event/shard.ts).
  shard          smallint    not null,
  -- Version of the payload's shape, for upcasting on read should it ever change.
  schema_version smallint    not null default 1,
  account_id     text        not null collate "C",
  event_id       text        not null collate "C",
  user_id        text        not null collate "C",
  type           text        not null collate "C",
  -- json, not jsonb: kept as it was sent.
  metadata       json,
  primary key (event_id, account_id, shard),
  constraint events_position unique (position, shard)
) partition by list (shard);

-- An account's events by time, for summaries and for the raw events, which are listed by time and then
-- by position. It holds all that a summary counts, so that reading thousands of events need not fetch
-- thousands of rows.
--
-- Every query of the log has one index that serves it, so that its plan is right from the first event
-- on, before there are statistics, and stays so for as long as a session keeps it: none of the three
-- begins with the columns of another. This one is partial, by a condition that always holds, so that
-- only queries which state the condition can use it, and the look-up of identities cannot.
create index events_account_time on tidemark.events (account_id, occurred_at, position)
  include (type, user_id, shard) where schema_version > 0;

-- The last position of each shard. Its row lock is what makes appends to a shard take turns.
-- Every append updates a row; the free space keeps the updates in place (HOT).
create table tidemark.log_heads (
  shard    smallint primary key,
  position bigint   not null
) with (fillfactor = 10);
