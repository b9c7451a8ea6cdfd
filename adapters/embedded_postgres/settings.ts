import { EmbeddedPostgresFailed } from "./errors.ts";

/** Postgres settings by name, with values as in `-c name=value`. */
export type Settings = Readonly<Record<string, string>>;

/** The defaults of the embedded server, which the option `settings` overrides. */
const DEFAULTS: Settings = {
  // The pools of all roles in one process, the queue's own, and a tool or two; each costs a few KB.
  max_connections: "100",
  // Fits the hot end of the log and of the rollups; small enough for a laptop or a CI runner.
  shared_buffers: "256MB",
  // Heavy writes produce WAL fast, and after each checkpoint every page is logged in full again.
  // The price is disk, and redo after a crash, which reads at most this much WAL.
  max_wal_size: "4GB",
  // Recycled segments are cheaper than new ones, so keep some through quiet times.
  min_wal_size: "512MB",
  // Under load, max_wal_size decides when to checkpoint, not the clock.
  checkpoint_timeout: "15min",
  // Queue tables turn over completely within seconds, so vacuum more often than each minute.
  autovacuum_naptime: "10s",
  // The default limit makes vacuum slower than a busy queue makes dead rows.
  autovacuum_vacuum_cost_limit: "2000",
  // For SSDs; the default of 4 makes the planner avoid the log's indexes.
  random_page_cost: "1.1",
  // A rebuild whose client was killed must not keep folding, and holding locks, for minutes.
  client_connection_check_interval: "1s",
  // Sessions of a client that hangs would hold back vacuum for ever.
  idle_in_transaction_session_timeout: "5min",
};

/** What a caller cannot override, and why. */
const FIXED: Settings = {
  // A 202 promises that the job is on disk. Without any of these three it may not be.
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  // Only this machine can connect, and only over TCP: the path of a socket in a deep data folder
  // would exceed the 107 bytes of a Unix socket address.
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // `server.ts` recognises some start failures by their text, which must not be translated.
  lc_messages: "C",
  // One time zone, whatever the machine's own.
  timezone: "UTC",
  log_timezone: "UTC",
  // `server.ts` owns the log file. Postgres's own collector would write another one.
  logging_collector: "off",
  log_destination: "stderr",
};

/**
 * Returns the command line flags of the server: defaults, `overrides`, then fixed settings.
 *
 * @throws EmbeddedPostgresFailed if an override contradicts a fixed setting, such as `fsync=off`
 */
export const settingFlags = (overrides: Settings, port: number): ReadonlyArray<string> => {
  const fixed: Settings = { ...FIXED, port: String(port) };
  for (const [name, value] of Object.entries(overrides)) {
    const required = fixed[name.toLowerCase()];
    if (required !== undefined && required !== value) {
      throw new EmbeddedPostgresFailed(
        `The embedded Postgres requires ${name}=${required}; it cannot be set to ${value}.`,
      );
    }
  }
  const settings = { ...DEFAULTS, ...overrides, ...fixed };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
};
