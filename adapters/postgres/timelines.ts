import { DatabaseError } from "pg";

import { present } from "../../core/invariant.ts";
import { DatabaseReplaced, diagnose } from "./errors.ts";
import type { SessionClient } from "./session_client.ts";

/**
 * The timeline that a session writes, as eight hexadecimal digits: a promoted standby begins a new
 * one. It is that of the write-ahead log, and not of the last checkpoint, which a server that was
 * just promoted has not made yet.
 */
export const TIMELINE = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

interface Place {
  /** The cluster: `initdb` chooses it at random, and a standby has that of its primary. */
  readonly system: string;
  readonly timeline: string;
}

/** How long a server may take to report its place, in milliseconds. */
const PLACE_TIMEOUT_MS = 2_000;

const PLACE = {
  text: `select system_identifier::text as system, ${TIMELINE} as timeline from pg_control_system()`,
  query_timeout: PLACE_TIMEOUT_MS,
};

/**
 * Fences off a primary that was replaced without noticing: writes to it would be lost, and its
 * reads are outdated. The first session on the promoted server reveals the replacement.
 */
export interface Timelines {
  /**
   * Admits a session that was just opened. If its server has replaced the one of the other
   * sessions, those are broken off.
   *
   * @throws DatabaseReplaced if its server was itself replaced
   * @throws what the connection throws
   */
  readonly enter: (client: SessionClient) => Promise<void>;
  /**
   * How often the server was replaced. While this number is the same, every commit is still there;
   * a promoted standby may lack the last ones.
   */
  readonly history: () => number;
}

/** The timelines as the sessions of one process see them. */
export const makeTimelines = (): Timelines => {
  let current: Place | undefined;
  let history = 0;
  const sessions = new Set<SessionClient>();
  let isReported = true;

  const placeOf = async (client: SessionClient): Promise<Place | undefined> => {
    if (!isReported) return undefined;
    try {
      return present((await client.query<Place>(PLACE)).rows[0], "a server has a place");
    } catch (error) {
      if (!(error instanceof DatabaseError) || diagnose(error) === "away") throw error;
      // The role may not query it, or the server has no timelines. Asked only once, as each refusal
      // is logged there.
      isReported = false;
      return undefined;
    }
  };

  /** Which of two clusters is older cannot be known: the current connection decides. */
  const replace = (by: Place): void => {
    current = by;
    history++;
    for (const session of sessions) {
      session.breakOff(new DatabaseReplaced("another server has replaced this one"));
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
            `and this process was connected to one on timeline ${numberOf(current)}`,
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
