import { Effect } from "effect";

import { QueueFull, QueueUnavailable } from "../../core/queue/queue.ts";

export interface GroupCommitOptions<Item, Receipt> {
  /** Commits items together; the receipts line up with the items. */
  readonly commit: (items: ReadonlyArray<Item>) => Promise<ReadonlyArray<Receipt>>;
  /** How much an item counts against `weightMax`. */
  readonly weigh: (item: Item) => number;
  /** The most that may wait in memory; past it a new item is refused. */
  readonly weightMax: number;
  /** How many commits may be under way at once. */
  readonly commitsMax: number;
  /**
   * How far apart commits begin at most, in milliseconds, while items come in company: while a commit is under way,
   * or after one that had several. They begin twice as far apart as the last one took, if that is less: the busier
   * whoever commits, the larger the groups. What comes alone, or weighs `weightFull` together, waits for no pace.
   */
  readonly paceMsMax: number;
  readonly weightFull: number;
}

/**
 * Lets concurrent writers share a commit. What arrives within a pace waits and then goes together: the busier the
 * service, the larger the groups, and an item that comes alone is committed at once. Returns the effect that
 * submits an item and succeeds after its commit.
 */
export const makeGroupCommit = <Item, Receipt>(options: GroupCommitOptions<Item, Receipt>) => {
  type Resume = (result: Effect.Effect<Receipt, QueueFull | QueueUnavailable>) => void;
  let waiting: Array<{ readonly item: Item; readonly resume: Resume }> = [];
  let weight = 0;
  let waitingWeight = 0;
  let commits = 0;
  let lastBegun = Number.NEGATIVE_INFINITY;
  let lastTookMs = Number.POSITIVE_INFINITY;
  let lastSize = 0;
  let timer: NodeJS.Timeout | undefined;

  /** Begins a commit as soon as one may. */
  const commitSoon = (): void => {
    if (waiting.length === 0 || commits >= options.commitsMax) return;
    const paceMs = Math.min(2 * lastTookMs, options.paceMsMax);
    const restMs = lastBegun + paceMs - performance.now();
    const isAlone = commits === 0 && lastSize < 2;
    if (isAlone || restMs <= 0 || waitingWeight >= options.weightFull) {
      clearTimeout(timer);
      timer = undefined;
      void commitNext();
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        commitSoon();
      }, Math.ceil(restMs));
    }
  };

  const commitNext = async (): Promise<void> => {
    const group = waiting;
    waiting = [];
    waitingWeight = 0;
    commits++;
    const begun = (lastBegun = performance.now());
    lastSize = group.length;
    try {
      const receipts = await options.commit(group.map(({ item }) => item));
      group.forEach(({ resume }, i) => {
        resume(Effect.succeed(receipts[i] as Receipt));
      });
    } catch (cause) {
      for (const { resume } of group) resume(Effect.fail(new QueueUnavailable({ cause })));
    }
    commits--;
    lastTookMs = performance.now() - begun;
    for (const { item } of group) weight -= options.weigh(item);
    commitSoon();
  };

  return (item: Item): Effect.Effect<Receipt, QueueFull | QueueUnavailable> =>
    Effect.callback((resume) => {
      const itemWeight = options.weigh(item);
      if (weight + itemWeight > options.weightMax && weight > 0) {
        resume(Effect.fail(new QueueFull({ retryAfterSeconds: 1 })));
        return;
      }
      weight += itemWeight;
      waitingWeight += itemWeight;
      waiting.push({ item, resume });
      commitSoon();
    });
};
