import { Effect } from "effect";

import { invariant, present } from "../../core/invariant.ts";
import { QueueFull, QueueUnavailable } from "../../core/queue/queue.ts";
import { type Diagnose, failed } from "../../core/store_failure.ts";

export interface GroupCommitOptions<Item, Receipt> {
  /** Commits items together; returns a receipt for each, in the same order. */
  readonly commit: (items: ReadonlyArray<Item>) => Promise<ReadonlyArray<Receipt>>;
  /** Tells why a commit failed. */
  readonly diagnose: Diagnose;
  /** How many bytes of memory an item takes. */
  readonly bytesOf: (item: Item) => number;
  /** The most bytes that may wait or be committing; beyond it new items are refused. */
  readonly bytesMax: number;
  /** The client that sent an item. */
  readonly clientOf: (item: Item) => string;
  /** The most bytes of `bytesMax` that one client may use; beyond it its new items are refused. */
  readonly clientBytesMax: number;
  /** The most bytes of one commit; further items wait for the next one. */
  readonly commitBytesMax: number;
  /** The most commits at the same time. */
  readonly commitsMax: number;
  /**
   * The longest pause between the starts of two commits, in milliseconds, while items arrive
   * concurrently: during a commit, or after one that had several items. The pause is twice the
   * duration of the last commit if that is shorter: the busier the database, the larger the groups.
   * An item that arrives alone, and items that fill a row, do not wait.
   */
  readonly paceMsMax: number;
  /** The share of a row that an item fills. */
  readonly fills: (item: Item) => number;
}

/**
 * Group commit: items that arrive within a short pause share a commit. The busier the service, the
 * larger the groups; an item that arrives alone is committed immediately. Returns the effect that
 * submits an item and succeeds after its commit.
 */
export const makeGroupCommit = <Item, Receipt>(options: GroupCommitOptions<Item, Receipt>) => {
  type Resume = (result: Effect.Effect<Receipt, QueueFull | QueueUnavailable>) => void;
  interface Waiting {
    readonly item: Item;
    readonly client: string;
    readonly bytes: number;
    readonly resume: Resume;
  }
  let waiting: Waiting[] = [];
  /** The rows that the waiting items fill. */
  let filled = 0;
  let bytesHeld = 0;
  /** The bytes of each client that has any. */
  const bytesByClient = new Map<string, number>();
  let commits = 0;
  let lastStart = Number.NEGATIVE_INFINITY;
  let lastDurationMs = Number.POSITIVE_INFINITY;
  let lastSize = 0;
  let timer: NodeJS.Timeout | undefined;

  const hold = (client: string, bytes: number): void => {
    bytesHeld += bytes;
    const left = (bytesByClient.get(client) ?? 0) + bytes;
    if (left > 0) bytesByClient.set(client, left);
    else bytesByClient.delete(client);
  };

  /** Starts commits as far as the bounds and the pause allow. */
  const commitSoon = (): void => {
    if (waiting.length === 0 || commits >= options.commitsMax) return;
    const paceMs = Math.min(2 * lastDurationMs, options.paceMsMax);
    const restMs = lastStart + paceMs - performance.now();
    const isAlone = commits === 0 && lastSize < 2;
    if (isAlone || restMs <= 0 || filled >= 1) {
      clearTimeout(timer);
      timer = undefined;
      void commitNext();
      commitSoon();
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        commitSoon();
      }, Math.ceil(restMs));
    }
  };

  /** Removes the items of the next commit from the front: one, or several within the bound. */
  const nextGroup = (): ReadonlyArray<Waiting> => {
    let bytes = 0;
    const end = waiting.findIndex(
      (next, i) => (bytes += next.bytes) > options.commitBytesMax && i > 0,
    );
    if (end === -1) {
      const all = waiting;
      waiting = [];
      filled = 0;
      return all;
    }
    const group = waiting.splice(0, end);
    filled = waiting.reduce((sum, { item }) => sum + options.fills(item), 0);
    return group;
  };

  const commitNext = async (): Promise<void> => {
    const group = nextGroup();
    commits++;
    const startedAt = (lastStart = performance.now());
    lastSize = group.length;
    try {
      const receipts = await options.commit(group.map(({ item }) => item));
      invariant(receipts.length === group.length, "a commit returns a receipt for each item");
      group.forEach(({ resume }, i) => {
        resume(Effect.succeed(present(receipts[i], "a receipt is not empty")));
      });
    } catch (cause) {
      for (const { resume } of group) resume(failed(QueueUnavailable, options.diagnose, cause));
    }
    commits--;
    lastDurationMs = performance.now() - startedAt;
    for (const { client, bytes } of group) hold(client, -bytes);
    commitSoon();
  };

  return (item: Item): Effect.Effect<Receipt, QueueFull | QueueUnavailable> =>
    Effect.callback((resume) => {
      const client = options.clientOf(item);
      const bytes = options.bytesOf(item);
      const ofClient = bytesByClient.get(client) ?? 0;
      const isTooMuch =
        (bytesHeld > 0 && bytesHeld + bytes > options.bytesMax) ||
        (ofClient > 0 && ofClient + bytes > options.clientBytesMax);
      if (isTooMuch) {
        resume(Effect.fail(new QueueFull({ retryAfterSeconds: 1 })));
        return;
      }
      hold(client, bytes);
      filled += options.fills(item);
      waiting.push({ item, client, bytes, resume });
      commitSoon();
    });
};
