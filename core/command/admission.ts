import { Cause, Clock, Context, Effect, Exit, Fiber, Result } from "effect";

import { Client, covers, type Principal } from "../access/principal.ts";
import type { QuotaExceeded, Quotas } from "../access/quotas.ts";
import { type Batch, BATCH_BYTES_MAX, bytesIn } from "../event/batch.ts";
import type { JobId, Priority, QueueFull, QueueUnavailable } from "../queue/queue.ts";
import type { Capacity, Refusal } from "./capacity.ts";
import { AccountsForbidden, BatchBytesExceeded } from "./errors.ts";
import { makePriorities } from "./priorities.ts";

/** Stores a batch in the queue. */
type Enqueue<R> = (priority: Priority) => Effect.Effect<JobId, QueueFull | QueueUnavailable, R>;

/** Admission control: the one place that decides whether a batch is accepted, whoever sends it. */
export class Admission extends Context.Service<
  Admission,
  {
    /**
     * Why nothing of a client is accepted now; undefined if something may be. Called before a request is read, so that a
     * refusal costs nearly nothing: under a flood, refusals are most of the work. `admit` decides again.
     *
     * @param now milliseconds since the Unix epoch
     * @param client as `Client` names it
     */
    readonly refusal: (now: number, client: string) => Refusal | undefined;
    /**
     * Enqueues a batch if it is admitted. It checks rights, size, and the limits for the batch's priority; quotas come
     * last, because they may need a request to another server. What it counted is returned if the batch is not enqueued.
     *
     * If the outcome of `enqueue` is unknown (`QueueUnavailable`: the commit may have happened), the quota is returned,
     * because clients are told to send the same events again, and are charged for them then. The events count against
     * the limit until a later sample shows whether they are in the queue. If the fiber is interrupted, `enqueue`
     * continues, and its outcome decides about the quota: disconnecting early does not make events free.
     *
     * @errors `AccountsForbidden`, `BatchBytesExceeded`, `QuotaExceeded`: the sender's fault; `QueueFull`,
     *   `QueueUnavailable`: not the sender's fault
     */
    readonly admit: <R>(
      batch: Batch,
      principal: Principal,
      enqueue: Enqueue<R>,
    ) => Effect.Effect<
      JobId,
      AccountsForbidden | BatchBytesExceeded | QuotaExceeded | QueueFull | QueueUnavailable,
      R
    >;
  }
>()("tidemark/command/Admission") {}

export interface AdmissionOptions {
  readonly capacity: Capacity;
  readonly quotas: Quotas;
}

export const makeAdmission = ({ capacity, quotas }: AdmissionOptions): Admission["Service"] => {
  const priorities = makePriorities();

  /** Charges a batch, and returns the charge unless the batch is enqueued. */
  const charged = <R>(
    batch: Batch,
    principal: Principal,
    enqueue: Effect.Effect<JobId, Refusal, R>,
  ) => {
    const charges = quotas.chargesOf(principal, batch);
    if (charges.length === 0) return enqueue;
    const orGiveBack = Effect.onExit(enqueue, (exit) =>
      Exit.isSuccess(exit) ? Effect.void : quotas.giveBack(charges),
    );
    // Detached, so that its outcome is known even if the client disconnects.
    const started = Effect.andThen(quotas.take(charges), Effect.forkDetach(orGiveBack));
    return Effect.flatMap(Effect.uninterruptible(started), Fiber.join);
  };

  return {
    refusal: (now, client) => capacity.refusal(now, priorities.best(client, now)),

    admit: Effect.fnUntraced(function* (batch, principal, enqueue) {
      const { events } = batch;
      if (!events.every(({ accountId }) => covers(principal, accountId))) {
        return yield* new AccountsForbidden();
      }
      const bytes = bytesIn(events);
      if (bytes > BATCH_BYTES_MAX) return yield* new BatchBytesExceeded({ bytes });
      const now = yield* Clock.currentTimeMillis;
      const priority = priorities.of(yield* Client, events, now);
      const refusal = capacity.refusal(now, priority);
      if (refusal !== undefined) return yield* Effect.fail(refusal);
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => capacity.reserve(events.length)),
        () => charged(batch, principal, enqueue(priority)),
        (_, exit) =>
          Effect.sync(() =>
            capacity.release(events.length, isRefused(exit) ? "refused" : "enqueued"),
          ),
      );
    }),
  };
};

/** Whether a batch is certainly not in the queue. */
const isRefused = (exit: Exit.Exit<unknown, QuotaExceeded | Refusal>): boolean => {
  if (Exit.isSuccess(exit)) return false;
  const error = Cause.findError(exit.cause);
  return Result.isSuccess(error) && error.success._tag !== "QueueUnavailable";
};
