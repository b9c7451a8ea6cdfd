import { makeFairPermits } from "./permits.ts";

/** Lets a bounded number of things be under way at once. */
export interface FairSemaphore {
  /**
   * Calls `begin` once there is a place for it: at once if there is one now. Returns what gives the place back or, if
   * `begin` was not called yet, makes sure that it never is; calling that again does nothing.
   */
  readonly enter: (client: string, begin: () => void) => () => void;
  /** How many wait for a place. */
  readonly waiting: () => number;
}

interface Ticket {
  state: "waiting" | "inside" | "left";
  readonly begin: () => void;
}

/**
 * A semaphore for callbacks, whose places are given out as `FairPermits` says: how long a client waits depends on how many
 * others wait, and not on how much they want. What waits is bounded by whoever calls it.
 */
export const makeFairSemaphore = (places: number): FairSemaphore => {
  const permits = makeFairPermits<Ticket>({
    permits: places,
    perClientMax: places,
    waitingPerClientMax: Number.POSITIVE_INFINITY,
    waitingMax: Number.POSITIVE_INFINITY,
  });

  const start = (ticket: Ticket): void => {
    ticket.state = "inside";
    ticket.begin();
  };

  return {
    enter: (client, begin) => {
      const ticket: Ticket = { state: "waiting", begin };
      if (permits.enter(client, ticket) === "held") start(ticket);
      return () => {
        const { state } = ticket;
        ticket.state = "left";
        if (state === "waiting") permits.withdraw(client, ticket);
        else if (state === "inside") {
          const next = permits.leave(client);
          if (next !== undefined) start(next);
        }
      };
    },

    waiting: permits.waiting,
  };
};
