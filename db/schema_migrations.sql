-- The runner's own record of what this database has. Run by ensureHistory() under the migration lock,
-- because IF NOT EXISTS alone does not keep two sessions from clashing in the catalogs.
CREATE SCHEMA IF NOT EXISTS tidemark;

CREATE TABLE IF NOT EXISTS tidemark.schema_migrations (
  version     int PRIMARY KEY,
  name        text NOT NULL,
  checksum    text NOT NULL, -- SHA-256 of the file's bytes, hex
  applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  duration_ms int NOT NULL
);
