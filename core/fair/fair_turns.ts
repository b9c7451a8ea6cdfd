/** How much may wait for a turn. */
export interface TurnLimits {
  /** The most pieces of work that wait, of one client and of all. */
  readonly waitingPerClientMax: number;
  readonly waitingMax: number;
  /** How long work may wait, in milliseconds; what is begun and not done by then has waited too long as well. */
  readonly waitMaxMs: number;
}

/** A place in the line, which its holder has until it leaves. */
export interface Ticket<T> {
  readonly client: string;
  readonly task: T;
  /** When it was taken, in milliseconds. */
  readonly since: number;
}

/** Decides whose turn it is. Times are passed in, so that it is the same wherever it runs. */
export interface FairTurns<T> {
  /** Takes a place at the end of the client's own line; undefined if too much waits already. */
  readonly take: (client: string, task: T, now: number) => Ticket<T> | undefined;
  /** The place whose turn it is: the first in the line of the client that has used least. */
  readonly next: () => Ticket<T> | undefined;
  /** Notes that the client whose turn it is has used the thread for so long, in milliseconds. */
  readonly charge: (client: string, ms: number) => void;
  /** Gives a place up, because its work is done or nobody wants it any more. */
  readonly leave: (ticket: Ticket<T>) => void;
  /** Gives up the places that have waited too long, and returns them. */
  readonly dropLate: (now: number) => ReadonlyArray<Ticket<T>>;
  /** How many places are taken. */
  readonly waiting: () => number;
}

/** What one client has used, and what of it waits. */
interface Line<T> {
  readonly tickets: Ticket<T>[];
  /** Milliseconds used, from where the line began to count. */
  used: number;
}

/** A turn that is too short for the clock has cost something, too; else a client of such turns would never be behind. */
const TURN_MIN_MS = 0.001;

/** How many clients without any work are remembered. */
const CLIENTS_MAX = 10_000;

/**
 * Start-time fair queueing: the next turn is that of whoever has used least, and who comes anew, or comes back, begins
 * where the client is that has its turn now. So nobody saves up time by staying away, nobody pays for time that
 * nobody else wanted, and between two clients that both have work the time they got never differs by more than a
 * turn of each, whatever others send.
 *
 * @see https://doi.org/10.1109/90.649569 (Goyal, Vin and Cheng: Start-time fair queueing)
 */
export const makeFairTurns = <T>(limits: TurnLimits): FairTurns<T> => {
  const lines = new Map<string, Line<T>>();
  /** Those that have work. */
  const active = new Set<Line<T>>();
  let waiting = 0;
  /** Where the client was that had the last turn, when it began. */
  let reached = 0;

  const lineOf = (client: string): Line<T> => {
    const known = lines.get(client);
    if (known !== undefined) return known;
    if (lines.size >= CLIENTS_MAX) forgetIdle();
    const line: Line<T> = { tickets: [], used: reached };
    lines.set(client, line);
    return line;
  };

  /** One that is not ahead of a newcomer need not be remembered; in need, no idle one is. */
  const forgetIdle = (): void => {
    const forget = (isForgotten: (line: Line<T>) => boolean): void => {
      for (const [client, line] of lines) {
        if (line.tickets.length === 0 && isForgotten(line)) lines.delete(client);
      }
    };
    forget(({ used }) => used <= reached);
    if (lines.size >= CLIENTS_MAX) forget(() => true);
  };

  const remove = (line: Line<T>, at: number): void => {
    const [ticket] = line.tickets.splice(at, 1);
    if (ticket === undefined) return;
    waiting--;
    if (line.tickets.length === 0) active.delete(line);
  };

  return {
    take: (client, task, now) => {
      if (waiting >= limits.waitingMax) return undefined;
      const line = lineOf(client);
      if (line.tickets.length >= limits.waitingPerClientMax) return undefined;
      if (line.tickets.length === 0) {
        line.used = Math.max(line.used, reached);
        active.add(line);
      }
      const ticket = { client, task, since: now };
      line.tickets.push(ticket);
      waiting++;
      return ticket;
    },

    next: () => {
      let least: Line<T> | undefined;
      for (const line of active) if (least === undefined || line.used < least.used) least = line;
      return least?.tickets[0];
    },

    charge: (client, ms) => {
      const line = lineOf(client);
      reached = Math.max(line.used, reached);
      line.used = reached + Math.max(ms, TURN_MIN_MS);
    },

    leave: (ticket) => {
      const line = lines.get(ticket.client);
      const at = line?.tickets.indexOf(ticket) ?? -1;
      if (line !== undefined && at !== -1) remove(line, at);
    },

    dropLate: (now) => {
      const late: Ticket<T>[] = [];
      for (const line of active) {
        // Who came first is late first.
        for (let first = line.tickets[0]; first !== undefined; first = line.tickets[0]) {
          if (now - first.since < limits.waitMaxMs) break;
          late.push(first);
          remove(line, 0);
        }
      }
      return late;
    },

    waiting: () => waiting,
  };
};
