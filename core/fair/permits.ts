import { invariant, present } from "../invariant.ts";

/** How many permits clients may hold, and how many tickets may wait. */
export interface PermitLimits {
  /** How many permits all clients together may hold. */
  readonly permits: number;
  /** How many of them one client may hold. With fewer than `permits`, one stays free for the next client. */
  readonly perClientMax: number;
  /** How many tickets may wait: of one client, and of all together. */
  readonly waitingPerClientMax: number;
  readonly waitingMax: number;
}

/** A ticket got a permit (`held`), `waits`, or was refused: by the limit of its `client`, or of `all` clients. */
export type Entry = "held" | "waits" | "client" | "all";

/**
 * Permits that clients share fairly. The next permit goes to the waiting client that holds the fewest, and among equals to
 * the one served longest ago. The tickets of a client keep their order. So a client that holds nothing waits until each of
 * the others has got at most one more permit, however many tickets they have waiting.
 *
 * Effect's `Semaphore` is first come, first served: one client's tickets would block all others.
 */
export interface FairPermits<Ticket> {
  readonly enter: (client: string, ticket: Ticket) => Entry;
  /** Removes a waiting ticket; false if it is not waiting. */
  readonly withdraw: (client: string, ticket: Ticket) => boolean;
  /** Returns a client's permit, and gives it to the next ticket, if any. */
  readonly leave: (client: string) => Ticket | undefined;
  readonly held: () => number;
  readonly waiting: () => number;
}

export const makeFairPermits = <Ticket>(limits: PermitLimits): FairPermits<Ticket> => {
  const { permits, perClientMax, waitingPerClientMax, waitingMax } = limits;
  const holding = new Map<string, number>();
  /** The tickets of each waiting client; the client served longest ago first. */
  const queues = new Map<string, Ticket[]>();
  let held = 0;
  let waiting = 0;

  const heldBy = (client: string): number => holding.get(client) ?? 0;

  const take = (client: string): void => {
    held++;
    holding.set(client, heldBy(client) + 1);
  };

  const next = (): Ticket | undefined => {
    let chosen: string | undefined;
    let least = perClientMax;
    for (const client of queues.keys()) {
      if (heldBy(client) >= least) continue;
      chosen = client;
      least = heldBy(client);
      if (least === 0) break;
    }
    if (chosen === undefined) return undefined;
    const queue = present(queues.get(chosen), `${chosen} waits without a queue`);
    const ticket = present(queue.shift(), `the queue of ${chosen} is empty`);
    waiting--;
    take(chosen);
    queues.delete(chosen);
    if (queue.length > 0) queues.set(chosen, queue);
    return ticket;
  };

  return {
    held: () => held,
    waiting: () => waiting,

    enter: (client, ticket) => {
      const queue = queues.get(client);
      // A client with waiting tickets must not overtake them.
      if (queue === undefined && held < permits && heldBy(client) < perClientMax) {
        take(client);
        return "held";
      }
      if ((queue?.length ?? 0) >= waitingPerClientMax) return "client";
      if (waiting >= waitingMax) return "all";
      if (queue === undefined) queues.set(client, [ticket]);
      else queue.push(ticket);
      waiting++;
      return "waits";
    },

    withdraw: (client, ticket) => {
      const queue = queues.get(client) ?? [];
      const place = queue.indexOf(ticket);
      if (place < 0) return false;
      queue.splice(place, 1);
      waiting--;
      if (queue.length === 0) queues.delete(client);
      return true;
    },

    leave: (client) => {
      const left = heldBy(client) - 1;
      invariant(left >= 0, `${client} returns a permit that it does not hold`);
      held--;
      if (left === 0) holding.delete(client);
      else holding.set(client, left);
      return held < permits ? next() : undefined;
    },
  };
};
