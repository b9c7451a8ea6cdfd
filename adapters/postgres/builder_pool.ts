import { createPool } from "./pool.ts";
import type { SessionSettings } from "./session.ts";
import type { StatementPool } from "./statement_pool.ts";

/**
 * For sessions that read the log at large: enough memory to count a fold's groups without a file, and no
 * compiling of statements that take half a second.
 */
const BUILDER_SESSION: SessionSettings = { work_mem: "64MB", jit: "off" };

const CONNECT_TIMEOUT_MS = 10_000;

/** Counting all of a large shard takes as long as it takes: a day is as good as no bound. */
const STATEMENT_TIMEOUT_MS = 86_400_000;

/**
 * Opens the connections for building and verifying generations.
 *
 * @param shardsAtOnce how many shards are worked on at the same time, each on a connection
 */
export const openBuilderPool = (url: string, shardsAtOnce: number): StatementPool =>
  createPool({
    url,
    // One holds the lock, and one is for the words between, such as to cancel what runs.
    connectionsMax: shardsAtOnce + 2,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    // A query on it fails by itself.
    onIdleError: () => {},
    session: BUILDER_SESSION,
  });
