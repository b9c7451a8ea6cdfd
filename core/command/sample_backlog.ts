import { Clock, Effect } from "effect";

import { EventLog, type LogUnavailable } from "../log/event_log.ts";
import { Projection, type ProjectionUnavailable } from "../projection/projection.ts";
import { Queue, type QueueUnavailable } from "../queue/queue.ts";
import { makeTransitions } from "../report_faults.ts";
import { faultOf } from "../store_failure.ts";
import { SECOND_MS } from "../time.ts";
import {
  type Capacity,
  DRAIN_CREDIT_MAX_MS,
  type LoadSample,
  SAMPLE_VALID_MS,
} from "./capacity.ts";

/** The shortest pause between two samples. In between, a process knows what it accepted, but not what others did. */
const REST_MIN_MS = 250;

/** The longest pause: clients should not be refused for long once there is room. */
const REST_MAX_MS = DRAIN_CREDIT_MAX_MS;

/** Sampling takes at most this share of the time, however long it takes to add up a long queue. */
const SAMPLING_SHARE = 0.25;

/** How long a sample may take. Two fail before the backlog counts as unknown. */
const SAMPLE_TIMEOUT_MS = 2_000;

class SampleTimedOut extends Error {
  override readonly name = "SampleTimedOut";
}

type NotSampled = QueueUnavailable | LogUnavailable | ProjectionUnavailable | SampleTimedOut;

/** Takes one sample of the backlog for a capacity. */
export const sampleBacklog = Effect.fnUntraced(function* (capacity: Capacity) {
  const pending = capacity.beginSample();
  const sample = yield* Effect.timeoutOrElse(takeSample, {
    duration: SAMPLE_TIMEOUT_MS,
    orElse: () =>
      Effect.fail<NotSampled>(new SampleTimedOut(`no answer within ${SAMPLE_TIMEOUT_MS} ms`)),
  });
  pending.succeed(sample);
});

/**
 * Samples the backlog several times a second, until interrupted. Logs when samples fail, when nothing is accepted
 * because of that, and when they succeed again.
 *
 * @param onFailed called for each sample that fails
 */
export const sampleBacklogForever = Effect.fnUntraced(function* (
  capacity: Capacity,
  onFailed: () => void,
) {
  const sampling = makeTransitions<"working" | "failing" | "closed">("working");

  const reportFailed = Effect.fnUntraced(function* (error: NotSampled) {
    onFailed();
    const isClosed = capacity.isUnknown(yield* Clock.currentTimeMillis);
    // Once nothing is accepted, only a sample that succeeds is news.
    if (sampling.state() === "closed") return;
    // Faults of the database are logged where its ports are watched.
    if (faultOf(error) !== undefined && !isClosed) return;
    const cause = error instanceof SampleTimedOut ? error.message : String(error.cause);
    const line = Effect.annotateLogs(
      isClosed
        ? Effect.logError(
            `No events are accepted: the backlog has been unknown for ${SAMPLE_VALID_MS / SECOND_MS} s`,
          )
        : Effect.logWarning("Cannot read the backlog; using the last known one"),
      { reason: error.name, cause },
    );
    yield* sampling.to(isClosed ? "closed" : "failing", line);
  });

  const reportWorking = sampling.to("working", Effect.logInfo("The backlog can be read again"));

  const once = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    const failed = yield* sampleBacklog(capacity).pipe(
      Effect.andThen(Effect.as(reportWorking, false)),
      Effect.catch((error) => Effect.as(reportFailed(error), true)),
    );
    const took = (yield* Clock.currentTimeMillis) - since;
    // After a failure it tries again soon: until a sample succeeds, nothing may be accepted.
    const rest = failed ? REST_MIN_MS : Math.min(took / SAMPLING_SHARE, REST_MAX_MS);
    yield* Effect.sleep(Math.max(REST_MIN_MS, rest));
  });
  return yield* Effect.forever(once);
});

const takeSample = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  const projection = yield* Projection;
  const { events } = yield* queue.backlog;
  // Before the heads, so that the lag is never negative. It may be too small for a moment.
  const checkpoints = yield* projection.checkpoints;
  const heads = yield* log.heads;
  const sample: LoadSample = {
    at: yield* Clock.currentTimeMillis,
    queued: events,
    appended: sumOf(heads),
    folded: sumOf(checkpoints),
  };
  return sample;
});

const sumOf = (places: ReadonlyArray<{ readonly position: number }>): number =>
  places.reduce((sum, { position }) => sum + position, 0);
