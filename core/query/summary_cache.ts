import { Clock, Context, Deferred, Effect, type Fiber } from "effect";

import { Client } from "../access/principal.ts";
import { shardOf } from "../event/shard.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import { makeFaultReport } from "../report_faults.ts";
import type { Summaries, SummariesUnavailable } from "../summary/summaries.ts";
import { MINUTE_MS } from "../time.ts";
import { inSpan } from "../trace.ts";
import {
  type Answer,
  type AnswerMemory,
  type AnswerStore,
  keyOf,
  type Question,
} from "./answer.ts";
import type { Horizon } from "./horizon.ts";
import { type AccountSummary, summariseAccount } from "./summarise_account.ts";

/** The cache never serves an answer whose `asOf` is older than this. */
export const STALENESS_MAX_MS = MINUTE_MS;

/**
 * How long a cached answer is fresh. A stale one is still served, but refreshed in the background. New events have
 * nothing to do with this, because they invalidate answers immediately: it limits how far the end of a window may be
 * behind the clock, on an account that is read often.
 */
export const FRESH_MS = 5_000;

/** Where an answer came from: the memory of this process, the store that processes share, or the read models. */
export type Tier = "lru" | "redis" | "miss";

export interface CachedAnswer {
  readonly answer: Answer;
  readonly tier: Tier;
}

/** Caches summaries while they equal the read models, and no longer than `STALENESS_MAX_MS`. */
export class SummaryCache extends Context.Service<
  SummaryCache,
  {
    /** The answer, if it is in the memory of this process and fresh. Does not wait, because most reads end here. */
    readonly hit: (question: Question) => Answer | undefined;
    /**
     * The answer from the first tier that has it. Concurrent requests for the same answer share one query (single flight),
     * which is interrupted when all of them have left.
     */
    readonly answer: (
      question: Question,
    ) => Effect.Effect<CachedAnswer, SummariesUnavailable | ReadRefused, Summaries>;
    /** How many answers came from each tier. */
    readonly counts: Readonly<Record<Tier, number>>;
  }
>()("tidemark/query/SummaryCache") {}

export interface SummaryCacheOptions {
  readonly shards: number;
  readonly horizon: Horizon;
  readonly memory: AnswerMemory;
  readonly store: AnswerStore["Service"];
  /** The body of the answer. */
  readonly present: (summary: AccountSummary) => string;
}

/**
 * How long a client waits for a query of another client before it starts its own: the other one may be queued behind
 * everything else that its client reads.
 */
export const JOINED_MS_MAX = 100;

interface PendingRead {
  /**
   * The lowest checkpoint and generation when it started. A request with others knows of an event that this read may miss,
   * or of a newer generation.
   */
  readonly floor: number;
  readonly generation: number;
  readonly answered: Deferred.Deferred<CachedAnswer, SummariesUnavailable | ReadRefused>;
  /** The client that started it. */
  readonly client: string;
  /** How many requests wait for it. */
  waiting: number;
  fiber: Fiber.Fiber<unknown> | undefined;
}

type PendingReadOf = Pick<PendingRead, "floor" | "generation" | "client">;

/** Makes an effect interruptible inside an uninterruptible one. */
type Interruptible = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>;

export const makeSummaryCache = Effect.fnUntraced(function* ({
  shards,
  horizon,
  memory,
  store,
  present,
}: SummaryCacheOptions): Effect.fn.Return<SummaryCache["Service"]> {
  const clock = yield* Clock.Clock;
  const refreshes = yield* makeFaultReport({
    task: "refresh",
    failing: "Cannot refresh cached summaries: they are served until they are too old",
    working: "Cached summaries are refreshed again",
  });
  const counts = { lru: 0, redis: 0, miss: 0 };
  const pending = new Map<string, PendingRead>();

  const isExact = (answer: Answer, accountId: string): boolean =>
    answer.generation >= horizon.generation() &&
    answer.checkpoint >= horizon.floor(answer.shard, accountId);
  /** May be served now. If the clock was set back, the age of earlier answers is unknown. */
  const isUsable = (answer: Answer, accountId: string, now: number): boolean =>
    Math.abs(now - answer.asOf) < STALENESS_MAX_MS && isExact(answer, accountId);
  const isFresh = (answer: Answer, now: number): boolean => now - answer.readAt < FRESH_MS;

  const count = (answered: CachedAnswer): void => void counts[answered.tier]++;

  /** Reports a failed refresh. A refusal is not a fault: it can happen to any client. */
  const reportUnread = (failure: SummariesUnavailable | ReadRefused) =>
    failure._tag === "SummariesUnavailable" ? refreshes.failed(failure) : Effect.void;

  const read = Effect.fnUntraced(function* (question: Question, key: string) {
    const readAt = clock.currentTimeMillisUnsafe();
    const asked = summariseAccount(question.accountId, question.period, question.top);
    const summary = yield* inSpan("summary")(asked);
    yield* refreshes.worked;
    const { checkpoint, generation, asOf } = summary;
    const shard = shardOf(question.accountId, shards);
    const answer: Answer = { text: present(summary), shard, checkpoint, generation, asOf, readAt };
    const leftMs = asOf + STALENESS_MAX_MS - clock.currentTimeMillisUnsafe();
    if (isExact(answer, question.accountId) && leftMs > 0) {
      memory.put(key, answer);
      // Detached, so that the answer does not wait for it.
      yield* Effect.forkDetach(store.put(key, answer, leftMs));
    }
    return { answer, tier: "miss" } satisfies CachedAnswer;
  });

  const load = Effect.fnUntraced(function* (question: Question, key: string) {
    const shared = yield* inSpan("cache")(store.get(key));
    const now = clock.currentTimeMillisUnsafe();
    if (shared === undefined || !isUsable(shared, question.accountId, now)) {
      return yield* read(question, key);
    }
    const answered: CachedAnswer = { answer: shared, tier: "redis" };
    if (!isFresh(shared, now)) {
      // If the database fails, the cached answer is still good, unless it has become too old in the meantime.
      return yield* read(question, key).pipe(
        Effect.catch((failure) =>
          isUsable(shared, question.accountId, clock.currentTimeMillisUnsafe())
            ? Effect.as(reportUnread(failure), answered)
            : Effect.fail(failure),
        ),
      );
    }
    memory.put(key, shared);
    return answered;
  });

  /** Waits for a pending read. The last request that leaves interrupts it. */
  const join = (joined: PendingRead, key: string, interruptible: Interruptible) =>
    Effect.suspend(() => {
      joined.waiting++;
      const leave = Effect.sync(() => {
        joined.waiting--;
        if (joined.waiting > 0) return;
        if (pending.get(key) === joined) pending.delete(key);
        joined.fiber?.interruptUnsafe();
      });
      return Effect.ensuring(interruptible(Deferred.await(joined.answered)), leave);
    });

  const start = (
    question: Question,
    key: string,
    of: PendingReadOf,
    interruptible: Interruptible,
  ) =>
    Effect.suspend(() => {
      const answered = Deferred.makeUnsafe<CachedAnswer, SummariesUnavailable | ReadRefused>();
      const mine: PendingRead = { ...of, answered, waiting: 0, fiber: undefined };
      pending.set(key, mine);
      const ended = Effect.sync(() => {
        if (pending.get(key) === mine) pending.delete(key);
      });
      const run = Effect.ensuring(load(question, key), ended);
      // Detached, because others may wait for it after the request that started it has left.
      return Effect.flatMap(Effect.forkDetach(Deferred.into(run, answered)), (fiber) => {
        mine.fiber = fiber;
        return join(mine, key, interruptible);
      });
    });

  /**
   * Single flight: joins the pending read of a question, or starts one. Not Effect's `Cache`, because a read runs in the
   * share of one client, and a request that knows of newer events must not join it.
   */
  const readOnce = (question: Question, key: string) =>
    Effect.flatMap(Client, (client) => {
      const floor = horizon.floor(shardOf(question.accountId, shards), question.accountId);
      const generation = horizon.generation();
      const running = (): PendingRead | undefined => {
        const found = pending.get(key);
        return found?.floor === floor && found.generation === generation ? found : undefined;
      };
      const own = Effect.uninterruptibleMask((interruptible) =>
        Effect.suspend(() => {
          const mine = running();
          return mine?.client === client
            ? join(mine, key, interruptible)
            : start(question, key, { floor, generation, client }, interruptible);
        }),
      );
      const other = running();
      if (other === undefined || other.client === client) return own;
      const joined = Effect.uninterruptibleMask((interruptible) => join(other, key, interruptible));
      return Effect.timeoutOrElse(joined, { duration: JOINED_MS_MAX, orElse: () => own });
    });

  return {
    counts,

    hit: (question) => {
      const answer = memory.get(keyOf(question));
      if (answer === undefined) return undefined;
      const now = clock.currentTimeMillisUnsafe();
      if (!isFresh(answer, now) || !isUsable(answer, question.accountId, now)) return undefined;
      counts.lru++;
      return answer;
    },

    answer: (question) =>
      Effect.suspend(() => {
        const key = keyOf(question);
        const cached = memory.get(key);
        const now = clock.currentTimeMillisUnsafe();
        if (cached === undefined || !isUsable(cached, question.accountId, now)) {
          return readOnce(question, key);
        }
        const answered = Effect.succeed<CachedAnswer>({ answer: cached, tier: "lru" });
        // If the refresh fails, the cached answer is served until it is too old.
        return isFresh(cached, now)
          ? answered
          : Effect.andThen(
              Effect.forkDetach(readOnce(question, key).pipe(Effect.catch(reportUnread))),
              answered,
            );
      }).pipe(
        Effect.tap((answered) => Effect.sync(() => count(answered))),
        inSpan("query"),
      ),
  };
});
