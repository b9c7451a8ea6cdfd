import { EmbeddedPostgresFailed } from "./errors.ts";

/** Postgres settings by name, values as one would write them after `-c name=`. */
export type Settings = Readonly<Record<string, string>>;

/** What the embedded server starts with; the `settings` option merges over it. */
const defaultSettings: Settings = {
  // Pools of all roles in one process, the queue's own, and a tool or two; a slot costs a few KB.
  max_connections: "100",
  // The hot end of the log and of the rollups fits; small enough for a laptop or a CI runner.
  shared_buffers: "256MB",
  // A flood writes WAL fast, and each checkpoint makes every page be logged in full again.
  // The price is disk, and redo after a crash: at most this much WAL is read again.
  max_wal_size: "4GB",
  // Recycled segments are cheaper than new ones, so keep some through quiet times.
  min_wal_size: "512MB",
  // Let max_wal_size, not the clock, decide under load.
  checkpoint_timeout: "15min",
  // Queue tables turn over completely within seconds: look for dead rows more often than each minute.
  autovacuum_naptime: "10s",
  // The default limit throttles vacuum below the rate at which a busy queue makes dead rows.
  autovacuum_vacuum_cost_limit: "2000",
  // Disks are SSDs today; the default of 4 makes the planner shun the log's indexes.
  random_page_cost: "1.1",
  // A rebuild whose client was killed must not go on folding, and locking, for minutes.
  client_connection_check_interval: "1s",
  // Sessions of a hung client would hold back vacuum for ever.
  idle_in_transaction_session_timeout: "5min",
};

/** What a caller may not change, and why not. */
const fixedSettings: Settings = {
  // A 202 says that the job is on disk. Any of these three switched off makes that a lie.
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  // Only this machine may connect, and over TCP: a socket path inside a deep data folder
  // would pass the 107 bytes that a Unix socket address holds.
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // We recognise two start-up failures by their text, so the text must not be translated.
  lc_messages: "C",
  // One clock for everything, whatever the machine's zone.
  timezone: "UTC",
  log_timezone: "UTC",
  // We own the log file; Postgres's own collector would write beside it.
  logging_collector: "off",
  log_destination: "stderr",
};

/**
 * The command line flags for the server: defaults, then `overrides`, then what is fixed.
 *
 * @throws EmbeddedPostgresFailed when an override contradicts a fixed setting (say `fsync=off`)
 */
export function settingFlags(overrides: Settings, port: number): string[] {
  const fixed: Settings = { ...fixedSettings, port: String(port) };
  for (const [name, value] of Object.entries(overrides)) {
    const kept = fixed[name.toLowerCase()];
    if (kept !== undefined && kept !== value) {
      throw new EmbeddedPostgresFailed(
        `The embedded Postgres keeps ${name}=${kept}; it cannot be set to ${value}.`,
      );
    }
  }
  return Object.entries({ ...defaultSettings, ...overrides, ...fixed }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
}
