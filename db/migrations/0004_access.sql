-- Who may do what. Only the SHA-256 of a key's secret is stored: the secret has 256 random bits, so
-- a slower hash would protect nothing more.
create table tidemark.api_keys (
  id                  text        primary key,
  secret_hash         bytea       not null check (octet_length(secret_hash) = 32),
  scopes              text[]      not null check (scopes <@ array['write', 'read', 'admin'] and cardinality(scopes) > 0),
  -- At most one of the two: the only account of the key, or the prefix of its accounts. Neither:
  -- all accounts.
  account_id          text,
  account_prefix      text,
  name                text        not null default '',
  requests_per_minute int         check (requests_per_minute > 0),
  events_per_minute   int         check (events_per_minute > 0),
  created_at          timestamptz not null default now(),
  -- Can be in the future, so that users of a rotated key have time to replace it.
  revoked_at          timestamptz,
  check (account_id is null or account_prefix is null)
);

-- Accounts with their own quota of events per minute.
create table tidemark.account_quotas (
  account_id        text not null primary key collate "C",
  events_per_minute int  not null check (events_per_minute > 0)
);

-- Roles besides the owner that may write API keys and quotas: npm run migrate -- grant ROLE
-- --administer-keys.
create table tidemark.key_administrators (
  role_name text primary key
);
