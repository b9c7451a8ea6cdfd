import { Effect } from "effect";

import { QueueFull, QueueUnavailable } from "../../core/queue/queue.ts";
import { type Diagnose, failed } from "../../core/store_failure.ts";

export interface GroupCommitOptions<Item, Receipt> {
  /** Commits items together; the receipts line up with the items. */
  readonly commit: (items: ReadonlyArray<Item>) => Promise<ReadonlyArray<Receipt>>;
  /** Tells why a commit failed. */
  readonly diagnose: Diagnose;
  /** How many bytes of memory an item takes. */
  readonly bytesOf: (item: Item) => number;
  /** The most bytes that may wait in memory or be under way; past it a new item is refused. */
  readonly bytesMax: number;
  /** Whom an item is of. */
  readonly clientOf: (item: Item) => string;
  /** The most bytes of `bytesMax` that one client may have; past it a new item of theirs is refused. */
  readonly clientBytesMax: number;
  /** The most bytes of one commit: the next items wait for the next one. */
  readonly commitBytesMax: number;
  /** How many commits may be under way at once. */
  readonly commitsMax: number;
  /**
   * How far apart commits begin at most, in milliseconds, while items come in company: while a commit is under way,
   * or after one that had several. They begin twice as far apart as the last one took, if that is less: the busier
   * whoever commits, the larger the groups. What comes alone, or fills a row together, waits for no pace.
   */
  readonly paceMsMax: number;
  /** Which share of a row an item fills. */
  readonly fills: (item: Item) => number;
}

/**
 * Lets concurrent writers share a commit. What arrives within a pace waits and then goes together: the busier the
 * service, the larger the groups, and an item that comes alone is committed at once. Returns the effect that
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
  /** Which share of a row those fill that wait. */
  let filled = 0;
  let bytesHeld = 0;
  /** The bytes held of each client that has any. */
  const bytesByClient = new Map<string, number>();
  let commits = 0;
  let lastBegun = Number.NEGATIVE_INFINITY;
  let lastTookMs = Number.POSITIVE_INFINITY;
  let lastSize = 0;
  let timer: NodeJS.Timeout | undefined;

  const hold = (client: string, bytes: number): void => {
    bytesHeld += bytes;
    const left = (bytesByClient.get(client) ?? 0) + bytes;
    if (left > 0) bytesByClient.set(client, left);
    else bytesByClient.delete(client);
  };

  /** Begins a commit as soon as one may. */
  const commitSoon = (): void => {
    if (waiting.length === 0 || commits >= options.commitsMax) return;
    const paceMs = Math.min(2 * lastTookMs, options.paceMsMax);
    const restMs = lastBegun + paceMs - performance.now();
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

  /** Takes those from the front of what waits that go into one commit: one, or several within its bound. */
  const takeGroup = (): ReadonlyArray<Waiting> => {
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
    const group = takeGroup();
    commits++;
    const begun = (lastBegun = performance.now());
    lastSize = group.length;
    try {
      const receipts = await options.commit(group.map(({ item }) => item));
      group.forEach(({ resume }, i) => {
        resume(Effect.succeed(receipts[i] as Receipt));
      });
    } catch (cause) {
      for (const { resume } of group) resume(failed(QueueUnavailable, options.diagnose, cause));
    }
    commits--;
    lastTookMs = performance.now() - begun;
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
