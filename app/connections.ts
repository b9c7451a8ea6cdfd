import type { Database, Statement } from "../adapters/postgres/pool.ts";
import type { Role } from "./configuration.ts";
import { DatabaseUnusable } from "./database_unusable.ts";

/** How many connections each pool of a process may open; together no more than the process may. */
export interface ConnectionShares {
  /** For keys, quotas, readiness and polls: nothing that a client can make slow runs there. */
  readonly control: number;
  /** For accepting, handing out and settling jobs, so that who waits for a 202 does not wait behind appends. */
  readonly queue: number;
  /** For appending to the log and folding it. */
  readonly log: number;
  /** For what clients read. */
  readonly read: number;
  /** For building the windows of large accounts, which takes minutes. */
  readonly build: number;
}

const CONTROL = 2;

/** The fewest connections that a process works with: one for each purpose, and two for control. */
export const CONNECTIONS_MIN = 6;

/** Shares the connections of a process among its pools. */
export const shareConnections = (all: number, roles: ReadonlySet<Role>): ConnectionShares => {
  const build = roles.has("projector") ? 1 : 0;
  const rest = all - CONTROL - build;
  const queue = Math.floor(rest / 3);
  const read = Math.ceil(rest / 3);
  return { control: CONTROL, build, queue, read, log: rest - queue - read };
};

// Slots that the server keeps for its administrators; the second setting is of Postgres 16 and newer.
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
 * How many connections this process may open at most: as many as are set, if the server allows as many.
 *
 * @throws DatabaseUnusable when it allows fewer than the service works with
 */
export const allowedConnections = async (database: Database, wanted: number): Promise<number> => {
  const [limits] = await database.query<Limits>(LIMITS, []);
  const bounds = [
    { max: limits?.role ?? -1, name: "the role in DATABASE_URL" },
    { max: limits?.database ?? -1, name: "the database" },
    { max: limits?.server ?? -1, name: "the server" },
  ].filter(({ max }) => max >= 0);
  for (const { max, name } of bounds) {
    if (max < CONNECTIONS_MIN) {
      throw new DatabaseUnusable({
        message:
          `The connection limit of ${name} is ${max}; Tidemark needs at least ${CONNECTIONS_MIN} ` +
          "connections for each process. Raise the limit.",
      });
    }
  }
  return Math.min(wanted, ...bounds.map(({ max }) => max));
};
