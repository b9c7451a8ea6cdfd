import { createHash, createHmac } from "node:crypto";

import type { Database, Statement } from "../../adapters/postgres/pool.ts";
import { TIMELINE } from "../../adapters/postgres/timelines.ts";

/** Identifies a log and the database that contains it now. */
export interface Incarnation {
  /** The name of the log. Dumps and copies of the database have the same one. */
  readonly id: string;
  /** The secret of the log, of 32 bytes. Dumps and copies have the same one. */
  readonly secret: Uint8Array;
  /**
   * The database cluster: `initdb` chooses it at random, and physical copies of the cluster keep
   * it.
   */
  readonly system: string;
  /**
   * The number of the database in the cluster: a restored dump has another one, even in the same
   * cluster.
   */
  readonly database: string;
  /**
   * The history of the cluster: recovering a physical backup or promoting a standby starts another
   * one.
   */
  readonly timeline: string;
}

/** Separates the processes of one incarnation from all others in the same Redis. */
export interface RedisIdentity {
  /** Part of the name of every key and channel. */
  readonly namespace: string;
  /** The key for signatures, of 32 bytes. */
  readonly secret: Uint8Array;
}

/**
 * Derives what only the processes of one incarnation share. A copy of a database has the log's name
 * and secret: without this, copy and original would serve each other's numbers and count limits
 * together.
 */
export const redisIdentityOf = (incarnation: Incarnation): RedisIdentity => {
  const { id, secret, system, database, timeline } = incarnation;
  const place = [id, system, database, timeline].join("/");
  return {
    namespace: createHash("sha256").update(place).digest("base64url"),
    secret: createHmac("sha256", secret).update(place).digest(),
  };
};

const LOG_IDENTITY: Statement = {
  name: "log_identity",
  text: "select id, secret from tidemark.log_identity",
};

const PLACE: Statement = {
  name: "incarnation",
  text: `
    select
      system_identifier::text as system,
      (select oid::text from pg_database where datname = current_database()) as database,
      ${TIMELINE} as timeline
    from pg_control_system()`,
};

type LogIdentity = Pick<Incarnation, "id" | "secret">;
type Place = Pick<Incarnation, "system" | "database" | "timeline">;

/**
 * SQLSTATEs of a database that does not identify itself: the role lacks the right (42501), or a
 * service that speaks the protocol of Postgres does not have these functions (42883) or refuses
 * them (0A000).
 */
const UNIDENTIFIED: ReadonlySet<unknown> = new Set(["42501", "42883", "0A000"]);

/**
 * Reads which log and which database this is; undefined if the database does not identify itself.
 *
 * @throws what `Database.query` throws
 */
export const readIncarnation = async (database: Database): Promise<Incarnation | undefined> => {
  const [log] = await database.query<LogIdentity>(LOG_IDENTITY, []);
  if (log === undefined) throw new Error("the log has no identity");
  try {
    const [place] = await database.query<Place>(PLACE, []);
    return place && { ...log, ...place };
  } catch (error) {
    if (UNIDENTIFIED.has((error as { readonly code?: unknown } | undefined)?.code))
      return undefined;
    throw error;
  }
};
