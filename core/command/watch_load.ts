import { Clock, Effect } from "effect";

import { EventLog, type LogUnavailable } from "../log/event_log.ts";
import { Projection, type ProjectionUnavailable } from "../projection/projection.ts";
import { Queue, type QueueUnavailable } from "../queue/queue.ts";
import { makeTransitions } from "../report_faults.ts";
import { faultOf } from "../store_failure.ts";
import { type Capacity, DRAIN_CREDIT_MAX_MS, type LoadSample, UNKNOWN_MAX_MS } from "./capacity.ts";

/** How long the watch rests between two reads, at least: meanwhile a process knows what it let in, and not what others did. */
const REST_MS = 250;

/** Reading takes at most this share of the time, however long a long queue takes to add up. */
const READ_SHARE = 0.25;

/** How long it rests at most: nobody should be refused for long for a lack of room that is over. */
const REST_MAX_MS = DRAIN_CREDIT_MAX_MS;

/** How long a read may take; two of them fail before the load counts as unknown. */
const READ_TIMEOUT_MS = 2_000;

class LoadTimedOut extends Error {
  override readonly name = "LoadTimedOut";
}

type LoadUnread = QueueUnavailable | LogUnavailable | ProjectionUnavailable | LoadTimedOut;

/** Reads how much waits, once, and tells a capacity. */
export const readLoad = Effect.fnUntraced(function* (capacity: Capacity) {
  const read = capacity.beginRead();
  const load = yield* Effect.timeoutOrElse(addUp, {
    duration: READ_TIMEOUT_MS,
    orElse: () =>
      Effect.fail<LoadUnread>(new LoadTimedOut(`it took longer than ${READ_TIMEOUT_MS} ms`)),
  });
  read.succeed(load);
});

/**
 * Keeps a capacity informed, until interrupted. Logs when the load cannot be read any more, when nothing is accepted
 * for that, and when it is read again.
 *
 * @param onFailed is told of each read that failed
 */
export const watchLoad = Effect.fnUntraced(function* (capacity: Capacity, onFailed: () => void) {
  const reading = makeTransitions<"read" | "failed" | "closed">("read");

  const tellFailed = Effect.fnUntraced(function* (error: LoadUnread) {
    onFailed();
    const isClosed = capacity.isUnknown(yield* Clock.currentTimeMillis);
    // Once nothing is accepted, only a read that succeeds is news.
    if (reading.state() === "closed") return;
    // Whoever watches the database has told it.
    if (faultOf(error) !== undefined && !isClosed) return;
    const cause = error instanceof LoadTimedOut ? error.message : String(error.cause);
    const line = Effect.annotateLogs(
      isClosed
        ? Effect.logError(
            `No events are accepted: the backlog has not been read for ${UNKNOWN_MAX_MS / 1_000} s`,
          )
        : Effect.logWarning("The backlog cannot be read: the last known one stands in for it"),
      { reason: error.name, cause },
    );
    yield* reading.to(isClosed ? "closed" : "failed", line);
  });

  const tellRead = reading.to("read", Effect.logInfo("The backlog is read again"));

  const once = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    const failed = yield* readLoad(capacity).pipe(
      Effect.andThen(Effect.as(tellRead, false)),
      Effect.catch((error) => Effect.as(tellFailed(error), true)),
    );
    const took = (yield* Clock.currentTimeMillis) - since;
    // After one that failed it tries again soon: until it succeeds there may be nothing accepted.
    const rest = failed ? REST_MS : Math.min(took / READ_SHARE, REST_MAX_MS);
    yield* Effect.sleep(Math.max(REST_MS, rest));
  });
  return yield* Effect.forever(once);
});

const addUp = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  const projection = yield* Projection;
  const { events } = yield* queue.backlog;
  // Before the heads: the lag may look smaller than it is for a moment, and is never below zero.
  const checkpoints = yield* projection.checkpoints;
  const heads = yield* log.heads;
  const load: LoadSample = {
    at: yield* Clock.currentTimeMillis,
    queued: events,
    appended: sumOf(heads),
    folded: sumOf(checkpoints),
  };
  return load;
});

const sumOf = (places: ReadonlyArray<{ readonly position: number }>): number =>
  places.reduce((sum, { position }) => sum + position, 0);
