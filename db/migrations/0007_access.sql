-- Who may do what. A key's secret is kept only as its SHA-256: it has 256 random bits, so that a slower
-- hash would protect nothing more.

create table tidemark.api_keys (
  id                  text        primary key,
  secret_hash         bytea       not null check (octet_length(secret_hash) = 32),
  scopes              text[]      not null check (scopes <@ array['write', 'read', 'admin'] and cardinality(scopes) > 0),
  -- At most one of the two: the account that it is for, or what the accounts begin with. Neither: all.
  account_id          text,
  account_prefix      text,
  name                text        not null default '',
  requests_per_minute int         check (requests_per_minute > 0),
  events_per_minute   int         check (events_per_minute > 0),
  created_at          timestamptz not null default now(),
  -- May lie ahead, so that the users of a key that is rotated have time to change it.
  revoked_at          timestamptz,
  check (account_id is null or account_prefix is null)
);

-- The most events a minute of accounts that have a bound of their own.
create table tidemark.account_quotas (
  account_id        text not null primary key collate "C",
  events_per_minute int  not null check (events_per_minute > 0)
);
