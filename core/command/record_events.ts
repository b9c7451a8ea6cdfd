import { Clock, Effect } from "effect";

import type { Principal } from "../access/principal.ts";
import { queuedIn } from "../event/batch.ts";
import { EventRules } from "../event/rules.ts";
import { type JobId, Queue } from "../queue/queue.ts";
import { inSpan } from "../trace.ts";
import { Admission } from "./admission.ts";
import { decodeBatch } from "./decode_batch.ts";

/** The body of a request, as bytes that the caller accounts for. */
export interface Body {
  readonly bytes: Uint8Array;
  /** Releases the bytes. Nothing reads them afterwards. */
  readonly release: () => void;
}

/** The answer to an accepted command: the events are durably queued and will be counted once. */
export interface Accepted {
  readonly jobId: JobId;
  /** How many events the batch contained, duplicates included. */
  readonly queued: number;
}

/**
 * The command `RecordEvents`: decodes a batch, rejects it as a whole if any event is invalid, and otherwise
 * answers once the queue has committed it. `Admission` decides whether it is accepted.
 *
 * @param body `{ "events": [Event, …] }` as JSON in UTF-8; released as soon as it is decoded or rejected
 * @param principal the sender
 * @errors `BatchRejected` if the body is at fault, `TurnRefused` if there was no time to decode it; the errors of
 *   `Admission.admit`
 */
export const recordEvents = Effect.fnUntraced(function* (body: Body, principal: Principal) {
  const batch = yield* Effect.ensuring(decoded(body.bytes), Effect.sync(body.release));
  const admission = yield* Admission;
  const queue = yield* Queue;
  const jobId = yield* admission.admit(batch, principal, (priority) =>
    inSpan("enqueue", { kind: "producer" })(queue.enqueue(batch, priority)),
  );
  const accepted: Accepted = { jobId, queued: queuedIn(batch) };
  return accepted;
}, inSpan("command"));

const decoded = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const rules = yield* EventRules;
  const now = yield* Clock.currentTimeMillis;
  return yield* decodeBatch(bytes, rules, now);
});
