import { Effect } from "effect";

import { Projection } from "../../core/projection/projection.ts";
import { advance, STEP_EVENTS_MAX } from "../../core/projection/projector.ts";

/** How long to wait when there is nothing to fold, or another projector is at it. */
const PAUSE = "20 millis";

/**
 * Keeps the read models up with a log that is being filled, and returns when `isFilled` says so and they hold
 * all of it. Until then only full steps are taken, which cost the least by the event.
 *
 * @param onLag is told how many events are not folded yet, after each look
 */
export const foldBeside = Effect.fnUntraced(function* (
  isFilled: () => boolean,
  onLag: (events: number) => void,
) {
  const projection = yield* Projection;
  for (;;) {
    // Before the look: what is appended after it is for the next one.
    const filled = isFilled();
    const lags = (yield* projection.lag).map(({ shard, head, checkpoint }) => ({
      shard,
      events: head - checkpoint,
    }));
    const lagging = lags.reduce((sum, { events }) => sum + events, 0);
    onLag(lagging);
    if (filled && lagging === 0) return;
    const due = lags.filter(({ events }) => events >= (filled ? 1 : STEP_EVENTS_MAX));
    let projected = 0;
    for (const { shard } of due) projected += (yield* advance(shard, STEP_EVENTS_MAX)).projected;
    if (projected === 0) yield* Effect.sleep(PAUSE);
  }
});
