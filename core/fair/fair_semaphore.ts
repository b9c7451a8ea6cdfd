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

/**
 * A semaphore whose places go round among the clients that wait, one for each in its turn, and for each client first come
 * first served. So how long a client waits depends on how many others wait, and not on how much they want.
 */
export const makeFairSemaphore = (places: number): FairSemaphore => {
  /** In the order of their turns; each set has what waits, and is never empty. */
  const queues = new Map<string, Set<() => void>>();
  let free = places;
  let waiting = 0;

  const remove = (client: string, queue: Set<() => void>, start: () => void): void => {
    queue.delete(start);
    waiting--;
    if (queue.size === 0) queues.delete(client);
  };

  const startNext = (): void => {
    while (free > 0) {
      const next = queues.entries().next();
      if (next.done === true) return;
      const [client, queue] = next.value;
      for (const start of queue) {
        remove(client, queue, start);
        if (queue.size > 0) {
          // Behind the others.
          queues.delete(client);
          queues.set(client, queue);
        }
        free--;
        start();
        break;
      }
    }
  };

  return {
    enter: (client, begin) => {
      let state: "waiting" | "inside" | "left" = "waiting";
      const start = (): void => {
        state = "inside";
        begin();
      };
      const leave = (): void => {
        if (state === "left") return;
        const wasInside = state === "inside";
        state = "left";
        if (wasInside) {
          free++;
          startNext();
          return;
        }
        const queue = queues.get(client);
        if (queue !== undefined) remove(client, queue, start);
      };
      if (free > 0) {
        free--;
        start();
      } else {
        const queue = queues.get(client);
        if (queue === undefined) queues.set(client, new Set([start]));
        else queue.add(start);
        waiting++;
      }
      return leave;
    },

    waiting: () => waiting,
  };
};
