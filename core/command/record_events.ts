import { Clock, Effect } from "effect";

import { covers, type Principal } from "../access/principal.ts";
import { Quotas } from "../access/quotas.ts";
import { queuedIn } from "../event/batch.ts";
import { EventRules } from "../event/rules.ts";
import { type JobId, Queue } from "../queue/queue.ts";
import { inSpan } from "../trace.ts";
import { decodeBatch } from "./decode_batch.ts";
import { AccountsForbidden } from "./errors.ts";
import { Lanes } from "./lanes.ts";

/** The answer to an accepted command: the events are durably queued and will be counted once. */
export interface Accepted {
  readonly jobId: JobId;
  /** How many events the batch held, duplicates included. */
  readonly queued: number;
}

/**
 * The command `RecordEvents`: decodes a batch, refuses it whole if any event is invalid, and otherwise
 * answers once the queue has committed it.
 *
 * @param input the parsed JSON body, `{ "events": [Event, …] }`
 * @param principal who sends it
 * @errors `BatchRejected` when the input is at fault; `AccountsForbidden`, `QuotaExceeded` when the sender
 *   may not; `QueueFull`, `QueueUnavailable` when nobody is at fault
 */
export const recordEvents = Effect.fnUntraced(function* (input: unknown, principal: Principal) {
  const rules = yield* EventRules;
  const now = yield* Clock.currentTimeMillis;
  const batch = yield* Effect.fromResult(decodeBatch(input, rules, now));
  if (!batch.events.every(({ accountId }) => covers(principal, accountId))) {
    return yield* new AccountsForbidden();
  }
  const quotas = yield* Quotas;
  yield* quotas.take(principal, batch);
  const queue = yield* Queue;
  const lanes = yield* Lanes;
  const enqueued = queue.enqueue(batch, yield* lanes.of(batch));
  const jobId = yield* inSpan("enqueue", { kind: "producer" })(enqueued);
  const accepted: Accepted = { jobId, queued: queuedIn(batch) };
  return accepted;
}, inSpan("command"));
