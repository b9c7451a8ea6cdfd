import { Context, Effect, Layer, Redacted } from "effect";

import { QueueDatabase } from "../../adapters/pg_boss/boss.ts";
import { diagnose } from "../../adapters/postgres/errors.ts";
import {
  createPool,
  type Database,
  databaseOf,
  Databases,
  executorOf,
  type PoolOptions,
  READ_SESSION,
  type Statement,
} from "../../adapters/postgres/pool.ts";
import { makeRetrying } from "../../adapters/postgres/retry.ts";
import type { StatementPool } from "../../adapters/postgres/statement_pool.ts";
import { makeTimelines } from "../../adapters/postgres/timelines.ts";
import { present } from "../../core/invariant.ts";
import { withClient } from "../../db/client.ts";
import { type Configuration, CONNECTIONS_MIN, type Role } from "../configuration.ts";
import { Meters } from "../metrics/meters.ts";
import { DatabaseUrl } from "./url.ts";
import { attempt, DatabaseUnusable, untilDatabaseReady } from "./wait.ts";

/**
 * How many connections each pool of a process may open; together no more than the process may.
 * `queue` is for accepting, fetching and acknowledging jobs, so that a 202 does not wait behind
 * appends; `Databases` documents the others.
 */
export type ConnectionShares = Readonly<
  Record<"control" | "queue" | "log" | "read" | "build", number>
>;

const CONTROL = 2;

/** Shares the connections of a process among its pools. */
export const shareConnections = (all: number, roles: ReadonlySet<Role>): ConnectionShares => {
  const build = roles.has("projector") ? 1 : 0;
  const rest = all - CONTROL - build;
  const queue = Math.floor(rest / 3);
  const read = Math.ceil(rest / 3);
  return { control: CONTROL, build, queue, read, log: rest - queue - read };
};

/**
 * The pools of connections, apart so that what is slow takes no connection that something else
 * needs.
 */
export class Pools extends Context.Service<
  Pools,
  {
    readonly shares: ConnectionShares;
    readonly control: StatementPool;
    readonly queue: StatementPool;
    readonly log: StatementPool;
    readonly read: StatementPool;
  }
>()("tidemark/Pools") {}

/**
 * How long a statement of the control pool may take: each looks up a few rows, or sums up a
 * backlog.
 */
const CONTROL_TIMEOUT_MS = 1_500;

/**
 * The control pool is never idle, so that a failover is noticed at the latest when its connections
 * are replaced.
 */
const CONTROL_LIFETIME_MS = [4_000, 6_000] as const;

/** How long building the windows of an account may take. */
const BUILD_TIMEOUT_MS = 600_000;

/** Opens the pools, once the database is there, and what the adapters see of them. */
export const poolsLayer = (configuration: Configuration) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const url = Redacted.value(yield* DatabaseUrl);
      const shares = shareConnections(
        yield* countConnections(url, configuration),
        configuration.ROLES,
      );
      const timelines = makeTimelines();
      const open = makeOpenPool(url, configuration.DATABASE_CONNECT_TIMEOUT_MS);
      const control = yield* open({
        timelines,
        connectionsMax: shares.control,
        lifetimeMs: CONTROL_LIFETIME_MS,
        statementTimeoutMs: CONTROL_TIMEOUT_MS,
        session: READ_SESSION,
      });
      const shared = {
        timelines,
        control,
        statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT_MS,
      };
      const queue = yield* open({ ...shared, connectionsMax: shares.queue });
      const log = yield* open({ ...shared, connectionsMax: shares.log });
      const read = yield* open({
        ...shared,
        connectionsMax: shares.read,
        // By then the client has its answer.
        statementTimeoutMs: configuration.REQUEST_TIMEOUT_MS,
        session: READ_SESSION,
      });
      const build =
        shares.build === 0
          ? log
          : yield* open({
              ...shared,
              connectionsMax: shares.build,
              // Builds are rare.
              connectionsMin: 0,
              statementTimeoutMs: BUILD_TIMEOUT_MS,
            });
      const retried = (yield* Meters).counter(
        "tidemark_database_retries_total",
        "Statements retried because a connection or a transaction broke.",
      )();
      const retrying = makeRetrying({ onRetry: () => retried() });
      return Context.make(Pools, { shares, control, queue, log, read }).pipe(
        Context.add(Databases, {
          control: databaseOf(control, retrying),
          log: databaseOf(log, retrying),
          read: databaseOf(read, retrying),
          build: databaseOf(build),
        }),
        Context.add(QueueDatabase, {
          execute: executorOf(queue, retrying),
          executeIn: (history) => executorOf(queue, retrying, history),
          executeRead: executorOf(read, retrying),
          executeControl: executorOf(control, retrying),
          history: timelines.history,
          diagnose,
        }),
      );
    }),
  );

const countConnections = Effect.fnUntraced(function* (url: string, configuration: Configuration) {
  const wanted = configuration.DATABASE_CONNECTIONS_MAX;
  const count = () => withClient(url, (client) => allowedConnections(databaseOf(client), wanted));
  const connections = yield* untilDatabaseReady(attempt(count));
  if (connections < wanted) {
    yield* Effect.annotateLogs(
      Effect.logWarning("The database allows fewer connections than DATABASE_CONNECTIONS_MAX"),
      { connections },
    );
  }
  return connections;
});

const makeOpenPool = (url: string, connectTimeoutMs: number) =>
  Effect.fnUntraced(function* (
    options: Omit<PoolOptions, "url" | "connectTimeoutMs" | "onIdleError">,
  ) {
    const run = Effect.runForkWith(yield* Effect.context());
    let isClosing = false;
    const onIdleError = (error: Error): void => {
      // The pool ends before its connections do: an embedded database that stops next breaks them.
      if (isClosing) return;
      const line = Effect.logWarning("A database connection broke");
      run(Effect.annotateLogs(line, { reason: error.message }));
    };
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        // One connection stays open, so that other processes do not take the last one.
        createPool({ connectionsMin: 1, ...options, url, connectTimeoutMs, onIdleError }),
      ),
      (pool) =>
        Effect.promise(() => {
          isClosing = true;
          return pool.close();
        }),
    );
  });

// Connections that the server reserves for its administrators; the second setting is of Postgres 16
// and newer.
const LIMITS: Statement = {
  name: "connection_limits",
  text: `
    select
      case when rolsuper then -1 else rolconnlimit end as role,
      (select case when rolsuper then -1 else datconnlimit end
        from pg_database where datname = current_database()) as database,
      current_setting('max_connections')::int
        - case when rolsuper then 0 else
            current_setting('superuser_reserved_connections')::int
            + coalesce(current_setting('reserved_connections', true)::int, 0)
          end as server
    from pg_roles where rolname = current_user`,
};

interface Limits {
  /** -1 for no limit, as in the catalogs. */
  readonly role: number;
  readonly database: number;
  readonly server: number;
}

/**
 * How many connections this process may open: as many as are set, or fewer if the server allows no
 * more.
 *
 * @throws DatabaseUnusable when the server allows fewer than the service works with
 */
export const allowedConnections = async (database: Database, wanted: number): Promise<number> => {
  const [limits] = await database.query<Limits>(LIMITS, []);
  const { role, database: ofDatabase, server } = present(limits, "the current role is in pg_roles");
  const bounds = [
    { max: role, name: "the role in DATABASE_URL" },
    { max: ofDatabase, name: "the database" },
    { max: server, name: "the server" },
  ].filter(({ max }) => max >= 0);
  for (const { max, name } of bounds) {
    if (max < CONNECTIONS_MIN) {
      throw new DatabaseUnusable({
        message:
          `The connection limit of ${name} is ${max}. Tidemark needs at least ${CONNECTIONS_MIN} ` +
          "connections for each process. Raise the limit.",
      });
    }
  }
  return Math.min(wanted, ...bounds.map(({ max }) => max));
};
