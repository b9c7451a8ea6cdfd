-- What the migration runner has applied to this database. Run under the migration lock, because `if
-- not exists` alone does not keep two sessions from clashing in the catalogs.
create schema if not exists tidemark;

create table if not exists tidemark.schema_migrations (
  version     int         primary key,
  name        text        not null,
  checksum    text        not null, -- SHA-256 of the file's bytes, in hex
  applied_at  timestamptz not null default clock_timestamp(),
  duration_ms int         not null
);

-- Every version of every function that was applied, so that an older build recognizes that it is
-- older.
create table if not exists tidemark.schema_functions (
  name        text        not null,
  checksum    text        not null, -- SHA-256 of the file's bytes, in hex
  applied_at  timestamptz not null default clock_timestamp(),
  duration_ms int         not null,
  primary key (name, checksum)
);
