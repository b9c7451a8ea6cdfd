import { makeFairPermits } from "./permits.ts";

/** Limits how many tasks run at the same time. */
export interface FairSemaphore {
  /**
   * Calls `begin` once there is a place, immediately if there is one now. Returns a function that gives the place back
   * or, if `begin` was not called yet, cancels it. Calling that function again has no effect.
   */
  readonly enter: (client: string, begin: () => void) => () => void;
  /** How many tasks wait for a place. */
  readonly waiting: () => number;
}

interface Ticket {
  state: "waiting" | "inside" | "left";
  readonly begin: () => void;
}

/**
 * A semaphore for callbacks, fair as `FairPermits` defines it: how long a client waits depends on the number of other
 * clients, not on how much they want. The caller limits how many tasks wait.
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
