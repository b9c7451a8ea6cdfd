/** How much clients may hold, and how many tickets may wait. */
export interface PermitLimits {
  /** How many tickets may be held at once, by all clients together. */
  readonly permits: number;
  /** How many of them one client may hold: with fewer than `permits`, a place is left for whoever comes next. */
  readonly perClientMax: number;
  /** How many tickets of one client may wait, and of all clients together. */
  readonly waitingPerClientMax: number;
  readonly waitingMax: number;
}

/** What became of a ticket: it is `held`, it `waits`, or it was refused because of its `client` or of `all` of them. */
export type Entry = "held" | "waits" | "client" | "all";

/**
 * Permits that clients share fairly. Of the clients that wait, the one that holds least is next, and among equals the one
 * that was served longest ago; a client's tickets keep their order. So a client that holds nothing waits until at most
 * each of the others got one more permit, however many tickets they have waiting.
 */
export interface FairPermits<Ticket> {
  readonly enter: (client: string, ticket: Ticket) => Entry;
  /** Takes back a ticket that waits; false if it does not. */
  readonly withdraw: (client: string, ticket: Ticket) => boolean;
  /** Returns a permit of a client. The ticket that holds it from now on, if any does. */
  readonly leave: (client: string) => Ticket | undefined;
  readonly held: () => number;
  readonly waiting: () => number;
}

export const makeFairPermits = <Ticket>(limits: PermitLimits): FairPermits<Ticket> => {
  const { permits, perClientMax, waitingPerClientMax, waitingMax } = limits;
  const holding = new Map<string, number>();
  /** The clients that wait, the one that was served longest ago first. */
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
    const queue = chosen === undefined ? undefined : queues.get(chosen);
    const ticket = queue?.shift();
    if (chosen === undefined || queue === undefined || ticket === undefined) return undefined;
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
      // A client that waits already may not take anything yet.
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
      if (left < 0) throw new Error(`${client} holds no permit`);
      held--;
      if (left === 0) holding.delete(client);
      else holding.set(client, left);
      return held < permits ? next() : undefined;
    },
  };
};
