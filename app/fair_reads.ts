import type { ClientSemaphore } from "../core/fair/client_semaphore.ts";
import type { DeadLetters } from "../core/queue/dead_letters.ts";
import type { Queue } from "../core/queue/queue.ts";
import type { Reads } from "./metrics/measured_ports.ts";

/** The most reads that may wait for a connection, of one client and of all clients together. */
const WAITING_PER_CLIENT_MAX = 64;
const WAITING_MAX = 1_024;

/**
 * How reads share the connections of their pool: one client gets all but one of them, so that the next one who comes
 * finds a place whatever the first one reads.
 *
 * @param connections of the pool
 */
export const readLimits = (connections: number) => ({
  permits: connections,
  perClientMax: Math.max(1, connections - 1),
  waitingPerClientMax: WAITING_PER_CLIENT_MAX,
  waitingMax: WAITING_MAX,
});

/** The ports that queries read the database through, with permits of a semaphore. */
export const fairReads = (
  { summaries, activity, accountEvents }: Reads,
  { withPermit }: Pick<ClientSemaphore, "withPermit">,
): Reads => ({
  summaries: {
    summary: (...question) => withPermit(summaries.summary(...question)),
    sampleAccounts: (...question) => withPermit(summaries.sampleAccounts(...question)),
  },
  activity: { counts: (...question) => withPermit(activity.counts(...question)) },
  accountEvents: { page: (...question) => withPermit(accountEvents.page(...question)) },
});

/** A queue whose jobs are looked up with permits of a semaphore. */
export const fairQueue = (
  queue: Queue["Service"],
  { withPermit }: Pick<ClientSemaphore, "withPermit">,
): Queue["Service"] => ({ ...queue, find: (id) => withPermit(queue.find(id)) });

/** Dead letters that are looked up with permits of a semaphore. */
export const fairDeadLetters = (
  letters: DeadLetters["Service"],
  { withPermit }: Pick<ClientSemaphore, "withPermit">,
): DeadLetters["Service"] => ({
  ...letters,
  list: (limit) => withPermit(letters.list(limit)),
  find: (id) => withPermit(letters.find(id)),
});
