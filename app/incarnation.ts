import { createHash, createHmac } from "node:crypto";

import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { TIMELINE } from "../adapters/postgres/timelines.ts";

/** What identifies a log and the database that holds it now. */
export interface Incarnation {
  /** The log's own name. A dump or a copy of the database carries it. */
  readonly id: string;
  /** The log's own secret, of 32 bytes, which a copy carries, too. */
  readonly secret: Uint8Array;
  /** The database cluster: `initdb` draws it, and a physical copy of the cluster keeps it. */
  readonly system: string;
  /** The database's number within the cluster: a dump that is restored, also into the same cluster, gets another. */
  readonly database: string;
  /** The cluster's history: a physical backup that is recovered, or a standby that is promoted, begins another. */
  readonly timeline: string;
}

/** What separates the processes of one incarnation from all others in a Redis that they may share. */
export interface RedisIdentity {
  /** What keys and channels carry. */
  readonly namespace: string;
  /** What is signed with: 32 bytes. */
  readonly secret: Uint8Array;
}

/**
 * Derives what processes of one incarnation share, and those of no other know: a copy of a database has the log's name and
 * secret, and beside its original would otherwise answer with the other one's numbers and count limits together with it.
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
 * SQLSTATEs of a database that does not tell which one it is: the role may not ask (42501), or a service that speaks
 * Postgres has no such functions (42883) or refuses them (0A000).
 */
const UNTOLD: ReadonlySet<unknown> = new Set(["42501", "42883", "0A000"]);

/**
 * Reads which log and which database this is; undefined when the database does not tell.
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
    if (UNTOLD.has((error as { readonly code?: unknown } | undefined)?.code)) return undefined;
    throw error;
  }
};
