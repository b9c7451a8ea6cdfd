import { DatabaseError } from "pg";

import { DatabaseReplaced, diagnose } from "./errors.ts";
import type { SessionClient } from "./session_client.ts";

/**
 * Which history of a cluster a session writes, as eight hexadecimal digits: a standby that is promoted begins a new one. It is
 * that of the write-ahead log, and not of the last checkpoint, which a server that was just promoted has not taken yet.
 */
export const TIMELINE = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

interface Place {
  /** The cluster: `initdb` draws it, and a standby has that of its primary. */
  readonly system: string;
  readonly timeline: string;
}

/** How long a server may take to tell its place, in milliseconds. */
const TELL_TIMEOUT_MS = 2_000;

const PLACE = {
  text: `select system_identifier::text as system, ${TIMELINE} as timeline from pg_control_system()`,
  query_timeout: TELL_TIMEOUT_MS,
};

/**
 * Keeps sessions away from a primary that was replaced and does not know: it takes writes that nobody will ever see, and
 * its reads are of the past. The first session on the server that was promoted shows that.
 */
export interface Timelines {
  /**
   * Takes in a session that was just opened. If another server took the place of the one that other sessions are on, those
   * are broken off.
   *
   * @throws DatabaseReplaced if its server is a former primary of the one that other sessions were on
   * @throws what the connection throws
   */
  readonly enter: (client: SessionClient) => Promise<void>;
  /**
   * How often another server took its place. While this is the same, what was committed is still there; a standby that was
   * promoted may lack what was committed last.
   */
  readonly history: () => number;
}

/** Timelines as the sessions of one process see them. */
export const makeTimelines = (): Timelines => {
  let current: Place | undefined;
  let history = 0;
  const sessions = new Set<SessionClient>();
  let told = true;

  const placeOf = async (client: SessionClient): Promise<Place | undefined> => {
    if (!told) return undefined;
    try {
      return (await client.query<Place>(PLACE)).rows[0];
    } catch (error) {
      if (!(error instanceof DatabaseError) || diagnose(error) === "away") throw error;
      // The role may not ask, or what speaks Postgres there has no timelines. Each refusal is a line in its log.
      told = false;
      return undefined;
    }
  };

  /** Of two clusters nobody can tell which one is older: the one that is connected to now is meant. */
  const replace = (by: Place): void => {
    current = by;
    history++;
    for (const session of sessions) {
      session.breakOff(new DatabaseReplaced("another server took the place of this one"));
    }
    sessions.clear();
  };

  return {
    enter: async (client) => {
      const place = await placeOf(client);
      if (place === undefined) return;
      current ??= place;
      if (place.system === current.system && place.timeline < current.timeline) {
        throw new DatabaseReplaced(
          `the server is a former primary: it is on timeline ${numberOf(place)}, ` +
            `and this process has been connected to one on timeline ${numberOf(current)}`,
        );
      }
      if (place.system !== current.system || place.timeline > current.timeline) replace(place);
      sessions.add(client);
      client.once("end", () => sessions.delete(client));
    },
    history: () => history,
  };
};

const numberOf = ({ timeline }: Place): number => Number.parseInt(timeline, 16);
