import { Clock, Context, Deferred, Effect, type Fiber } from "effect";

import { Client } from "../access/client.ts";
import { shardOf } from "../event/shard.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import { makeFaultReport } from "../report_faults.ts";
import type { Summaries, SummariesUnavailable } from "../summary/summaries.ts";
import { inSpan } from "../trace.ts";
import { type Answer, keyOf, type Question } from "./answer.ts";
import type { AnswerMemory, AnswerStore } from "./answer_store.ts";
import type { Horizon } from "./horizon.ts";
import { type AccountSummary, summariseAccount } from "./summarise_account.ts";

/** Nothing older is ever given out of the cache: the age of `asOf`, by the clock at that moment. */
export const STALENESS_MAX_MS = 60_000;

/**
 * How long a kept answer is given without another thought. Then it is still given, but read anew behind
 * it. Events are not what this is for, they make an answer void at once: it is how far behind now the
 * end of a window may be on an account that is read often.
 */
export const FRESH_MS = 5_000;

/** Who answered: this process's memory, the store that processes share, or the read models. */
export type Tier = "lru" | "redis" | "miss";

export interface CachedAnswer {
  readonly answer: Answer;
  readonly tier: Tier;
}

/** Summaries, kept for as long as they say what the read models say, and no longer than a bound. */
export class SummaryCache extends Context.Service<
  SummaryCache,
  {
    /** The answer if this process has it and it is fresh: without waiting, since most reads end here. */
    readonly hit: (question: Question) => Answer | undefined;
    /**
     * The answer, from wherever it comes. Many who ask the same at the same time are one query, which ends early when
     * all of them have left.
     */
    readonly answer: (
      question: Question,
    ) => Effect.Effect<CachedAnswer, SummariesUnavailable | ReadRefused, Summaries>;
    /** How many answers each tier has given. */
    readonly counts: Readonly<Record<Tier, number>>;
  }
>()("tidemark/query/SummaryCache") {}

export interface SummaryCacheOptions {
  readonly shards: number;
  readonly horizon: Horizon;
  readonly memory: AnswerMemory;
  readonly store: AnswerStore["Service"];
  /** What is sent for a summary. */
  readonly present: (summary: AccountSummary) => string;
}

/**
 * How long a client waits for a query that another client began, before it begins its own: the other one's may have to
 * wait behind all that this client reads.
 */
export const JOINED_MS_MAX = 100;

interface PendingRead {
  /**
   * What was asked of answers when it began: who comes when it is another knows of an event that this may
   * miss, or of a generation that it was not read from.
   */
  readonly floor: number;
  readonly generation: number;
  readonly answered: Deferred.Deferred<CachedAnswer, SummariesUnavailable | ReadRefused>;
  /** On whose behalf it reads. */
  readonly client: string;
  /** How many wait for it. */
  waiting: number;
  fiber: Fiber.Fiber<unknown> | undefined;
}

type PendingReadOf = Pick<PendingRead, "floor" | "generation" | "client">;

/** Makes an effect interruptible inside of what is not. */
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
    failing: "Kept answers cannot be read anew: they are given until they are too old",
    working: "Kept answers are read anew again",
  });
  const counts = { lru: 0, redis: 0, miss: 0 };
  const loads = new Map<string, PendingRead>();

  const isExact = (answer: Answer, accountId: string): boolean =>
    answer.generation >= horizon.generation() &&
    answer.checkpoint >= horizon.floor(answer.shard, accountId);
  /** May be given now. A clock that was set back makes everything from before of unknown age. */
  const isUsable = (answer: Answer, accountId: string, now: number): boolean =>
    Math.abs(now - answer.asOf) < STALENESS_MAX_MS && isExact(answer, accountId);
  const isFresh = (answer: Answer, now: number): boolean => now - answer.readAt < FRESH_MS;

  const count = (answered: CachedAnswer): void => void counts[answered.tier]++;

  /** Reports that what is kept could not be read anew. To be refused, as any client may be, is no fault. */
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
      // Nobody waits for it: the answer is there.
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
      // Without the database what is kept is still an answer, if it was not too late to find that out.
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

  /** Waits for a load. It ends with the last who waits for it. */
  const join = (joined: PendingRead, key: string, interruptible: Interruptible) =>
    Effect.suspend(() => {
      joined.waiting++;
      const leave = Effect.sync(() => {
        joined.waiting--;
        if (joined.waiting > 0) return;
        if (loads.get(key) === joined) loads.delete(key);
        joined.fiber?.interruptUnsafe();
      });
      return Effect.ensuring(interruptible(Deferred.await(joined.answered)), leave);
    });

  const begin = (
    question: Question,
    key: string,
    of: PendingReadOf,
    interruptible: Interruptible,
  ) =>
    Effect.suspend(() => {
      const answered = Deferred.makeUnsafe<CachedAnswer, SummariesUnavailable | ReadRefused>();
      const mine: PendingRead = { ...of, answered, waiting: 0, fiber: undefined };
      loads.set(key, mine);
      const ended = Effect.sync(() => {
        if (loads.get(key) === mine) loads.delete(key);
      });
      const run = Effect.ensuring(load(question, key), ended);
      // Detached: whoever began it may go away, and others still wait for it.
      return Effect.flatMap(Effect.forkDetach(Deferred.into(run, answered)), (fiber) => {
        mine.fiber = fiber;
        return join(mine, key, interruptible);
      });
    });

  /** Joins the load of a question that is under way, or begins one. */
  const loadOnce = (question: Question, key: string) =>
    Effect.flatMap(Client, (client) => {
      const floor = horizon.floor(shardOf(question.accountId, shards), question.accountId);
      const generation = horizon.generation();
      const running = (): PendingRead | undefined => {
        const found = loads.get(key);
        return found?.floor === floor && found.generation === generation ? found : undefined;
      };
      const own = Effect.uninterruptibleMask((interruptible) =>
        Effect.suspend(() => {
          const mine = running();
          return mine?.client === client
            ? join(mine, key, interruptible)
            : begin(question, key, { floor, generation, client }, interruptible);
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
        const kept = memory.get(key);
        const now = clock.currentTimeMillisUnsafe();
        if (kept === undefined || !isUsable(kept, question.accountId, now)) {
          return loadOnce(question, key);
        }
        const answered = Effect.succeed<CachedAnswer>({ answer: kept, tier: "lru" });
        // A refresh that fails leaves what is kept, until its bound.
        return isFresh(kept, now)
          ? answered
          : Effect.andThen(
              Effect.forkDetach(loadOnce(question, key).pipe(Effect.catch(reportUnread))),
              answered,
            );
      }).pipe(
        Effect.tap((answered) => Effect.sync(() => count(answered))),
        inSpan("query"),
      ),
  };
});
