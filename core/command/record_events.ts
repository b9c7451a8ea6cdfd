import { Clock, Effect } from "effect";

import { queuedIn } from "../event/batch.ts";
import { EventRules } from "../event/rules.ts";
import { type JobId, Queue } from "../queue/queue.ts";
import { decodeBatch } from "./decode_batch.ts";

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
 * @errors `BatchRejected` when the input is at fault; `QueueFull`, `QueueUnavailable` when it is not
 */
export const recordEvents = Effect.fnUntraced(function* (input: unknown) {
  const rules = yield* EventRules;
  const now = yield* Clock.currentTimeMillis;
  const batch = yield* Effect.fromResult(decodeBatch(input, rules, now));
  const queue = yield* Queue;
  const jobId = yield* queue.enqueue(batch);
  const accepted: Accepted = { jobId, queued: queuedIn(batch) };
  return accepted;
});
