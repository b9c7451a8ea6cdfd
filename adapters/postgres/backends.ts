import pg from "pg";

/** The state of a backend (server process): busy with a statement or its commit, idle, or gone. */
export type BackendState = "busy" | "idle" | "gone";

/** Asks the server about backends of this service. Never fails: an unknown state is undefined. */
export interface Backends {
  /** Asks the server to cancel the statement of a backend; resolves when the request was sent. */
  readonly cancel: (pid: number) => Promise<void>;
  /** Undefined if the server does not answer. */
  readonly stateOf: (pid: number) => Promise<BackendState | undefined>;
  /** Ends a backend. */
  readonly terminate: (pid: number) => Promise<void>;
}

/** Runs a statement and returns its rows. */
export type Query = (
  text: string,
  values: unknown[],
) => Promise<ReadonlyArray<Record<string, unknown>>>;

// The role and the application name exclude a foreign session that got the same pid later. The cast
// selects Postgres's pg_cancel_backend, as Citus has another one.
const OURS =
  "pid = $1::int and usename = current_user and application_name = current_setting('application_name')";
const CANCEL = `select pg_cancel_backend(pid) from pg_stat_activity where ${OURS}`;
const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity where ${OURS}`;
const STATE = `select state from pg_stat_activity where ${OURS}`;

/** @param queries ways to query, each of which is tried if the one before it fails */
export const makeBackends = (queries: ReadonlyArray<Query>): Backends => {
  const query = async (
    text: string,
    pid: number,
  ): Promise<ReadonlyArray<Record<string, unknown>> | undefined> => {
    for (const each of queries) {
      try {
        return await each(text, [pid]);
      } catch {
        // Try the next way.
      }
    }
    return undefined;
  };
  return {
    cancel: async (pid) => void (await query(CANCEL, pid)),
    terminate: async (pid) => void (await query(TERMINATE, pid)),
    stateOf: async (pid) => {
      const rows = await query(STATE, pid);
      if (rows === undefined) return undefined;
      const [row] = rows;
      if (row === undefined) return "gone";
      // A server without track_activities shows no state, which counts as busy.
      return String(row["state"]).startsWith("idle") ? "idle" : "busy";
    },
  };
};

/** The time limit of a query on a connection of its own. */
const QUERY_TIMEOUT_MS = 2_000;

/** How long to open no connection after one failed: many must not follow one that hangs. */
const QUERY_AGAIN_MS = 5_000;

/** Asks on a new connection: one query at a time, and none for a while after one that failed. */
export const queryAlone = (config: pg.ClientConfig): Query => {
  let last: Promise<unknown> = Promise.resolve();
  let unavailableUntil = Number.NEGATIVE_INFINITY;

  const queryOnce: Query = async (text, values) => {
    if (performance.now() < unavailableUntil) throw new Error("the server did not answer just now");
    const client = new pg.Client({
      ...config,
      connectionTimeoutMillis: QUERY_TIMEOUT_MS,
      statement_timeout: QUERY_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text, values)).rows;
    } catch (error) {
      unavailableUntil = performance.now() + QUERY_AGAIN_MS;
      throw error;
    } finally {
      void client.end().catch(() => {});
    }
  };

  return (text, values) => {
    const answer = last.then(() => queryOnce(text, values));
    last = answer.catch(() => {});
    return answer;
  };
};
