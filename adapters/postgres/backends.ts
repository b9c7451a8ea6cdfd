import pg from "pg";

/**
 * What a backend (a server process, which serves one connection) is doing: `busy` with a statement or its commit,
 * `idle`, or `gone`.
 */
export type BackendState = "busy" | "idle" | "gone";

/** Asks the server about the backends of this service. Nothing here fails: what cannot be asked is not known. */
export interface Backends {
  /** Asks the server to break off the statement that a backend runs; returns when that was asked. */
  readonly cancel: (pid: number) => Promise<void>;
  /** Undefined while it cannot be found out. */
  readonly stateOf: (pid: number) => Promise<BackendState | undefined>;
  /** Ends a backend. */
  readonly terminate: (pid: number) => Promise<void>;
}

/** Runs a statement and returns its rows. */
export type Ask = (
  text: string,
  values: unknown[],
) => Promise<ReadonlyArray<Record<string, unknown>>>;

// Sessions of others that got the same pid later are none of ours: who asks is connected as the one it asks about. Citus
// has another pg_cancel_backend, so that the type has to be named.
const OURS =
  "pid = $1::int and usename = current_user and application_name = current_setting('application_name')";
const CANCEL = `select pg_cancel_backend(pid) from pg_stat_activity where ${OURS}`;
const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity where ${OURS}`;
const STATE = `select state from pg_stat_activity where ${OURS}`;

/** @param asks ways to ask, each of them tried when the one before it failed */
export const makeBackends = (asks: ReadonlyArray<Ask>): Backends => {
  const ask = async (
    text: string,
    pid: number,
  ): Promise<ReadonlyArray<Record<string, unknown>> | undefined> => {
    for (const each of asks) {
      try {
        return await each(text, [pid]);
      } catch {
        // By the next way.
      }
    }
    return undefined;
  };
  return {
    cancel: async (pid) => void (await ask(CANCEL, pid)),
    terminate: async (pid) => void (await ask(TERMINATE, pid)),
    stateOf: async (pid) => {
      const rows = await ask(STATE, pid);
      if (rows === undefined) return undefined;
      const [row] = rows;
      if (row === undefined) return "gone";
      // Anything but idle, also where the server does not follow what its sessions do.
      return String(row["state"]).startsWith("idle") ? "idle" : "busy";
    },
  };
};

/** How long a question on a connection of its own may take. */
const ASK_TIMEOUT_MS = 2_000;

/** How long nobody asks on a new connection after that failed: one that hangs must not be followed by many. */
const ASK_AGAIN_MS = 5_000;

/** Asks on a connection of its own: one question at a time, and none for a while after one that failed. */
export const askAlone = (config: pg.ClientConfig): Ask => {
  let last: Promise<unknown> = Promise.resolve();
  let awayUntil = Number.NEGATIVE_INFINITY;

  const askOnce: Ask = async (text, values) => {
    if (performance.now() < awayUntil) throw new Error("the server did not answer a moment ago");
    const client = new pg.Client({
      ...config,
      connectionTimeoutMillis: ASK_TIMEOUT_MS,
      statement_timeout: ASK_TIMEOUT_MS,
      query_timeout: ASK_TIMEOUT_MS,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text, values)).rows;
    } catch (error) {
      awayUntil = performance.now() + ASK_AGAIN_MS;
      throw error;
    } finally {
      void client.end().catch(() => {});
    }
  };

  return (text, values) => {
    const answer = last.then(() => askOnce(text, values));
    last = answer.catch(() => {});
    return answer;
  };
};
