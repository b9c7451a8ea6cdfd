/** How much work may wait for its turn. */
export interface TurnLimits {
  /** How many tasks may wait: of one client, and of all together. */
  readonly waitingPerClientMax: number;
  readonly waitingMax: number;
  /** How long a task may take from its arrival to its end, in milliseconds. */
  readonly waitMaxMs: number;
}

/** A place in the queue, held until `leave`. */
export interface Ticket<T> {
  readonly client: string;
  readonly task: T;
  /** When the task arrived, in milliseconds. */
  readonly since: number;
}

/** Decides whose turn it is. Times are passed in, which makes it deterministic. */
export interface FairTurns<T> {
  /** Takes the last place in the client's queue; undefined if too many tasks wait already. */
  readonly take: (client: string, task: T, now: number) => Ticket<T> | undefined;
  /** The ticket whose turn it is: the first of the client that has used the least time. */
  readonly next: () => Ticket<T> | undefined;
  /** Records how long the client whose turn it is has used the thread, in milliseconds. */
  readonly charge: (client: string, ms: number) => void;
  /** Gives up a place: its task is done or cancelled. */
  readonly leave: (ticket: Ticket<T>) => void;
  /** Gives up the places that have waited too long, and returns them. */
  readonly dropLate: (now: number) => ReadonlyArray<Ticket<T>>;
  /** How many places are taken. */
  readonly waiting: () => number;
}

/** The waiting tasks of one client, and the time that it has used. */
interface Line<T> {
  readonly tickets: Ticket<T>[];
  /** Virtual time in milliseconds: the time used, counted from where the client joined. */
  used: number;
}

/** A turn too short for the clock still has a cost; otherwise a client with only such turns would always be first. */
const TURN_MIN_MS = 0.001;

/** How many clients are remembered. */
const CLIENTS_MAX = 10_000;

/**
 * Start-time fair queueing: the next turn goes to the client that has used the least time. A client that is new, or comes
 * back, starts at the virtual time of the client whose turn it is. So idle clients save up no time, clients pay nothing for
 * time that no other client wanted, and the times of two clients that both have work never differ by more than one turn
 * of each.
 *
 * @see https://doi.org/10.1109/90.649569 (Goyal, Vin and Cheng: Start-time fair queueing)
 */
export const makeFairTurns = <T>(limits: TurnLimits): FairTurns<T> => {
  const lines = new Map<string, Line<T>>();
  /** The lines with waiting tasks. */
  const active = new Set<Line<T>>();
  let waiting = 0;
  /** The virtual time at the start of the last turn. */
  let reached = 0;

  const lineOf = (client: string): Line<T> => {
    const known = lines.get(client);
    if (known !== undefined) return known;
    if (lines.size >= CLIENTS_MAX) forgetIdle();
    const line: Line<T> = { tickets: [], used: reached };
    lines.set(client, line);
    return line;
  };

  /** Forgets idle clients that would rejoin where they are; if there are still too many, all idle ones. */
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
        // The first to arrive is the first to be late.
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
