import { Effect } from "effect";

import { Projection } from "../../core/projection/projection.ts";
import { advance, STEP_EVENTS_MAX } from "../../core/projection/projector.ts";

/** How long to wait when there is nothing to fold, or another projector is at it. */
const PAUSE = "20 millis";

/**
 * Keeps the read models up with a log that is being filled, and returns when `isFilled` says so and they hold
 * all that it held then. Until then only full steps are taken, which cost the least by the event.
 *
 * @param onLag is told how many events are not folded yet, after each look
 */
export const foldBeside = Effect.fnUntraced(function* (
  isFilled: () => boolean,
  onLag: (events: number) => void,
) {
  const projection = yield* Projection;
  /** The heads when the log was filled: a service may go on appending, and there would be no end. */
  let ends: ReadonlyMap<number, number> | undefined;
  for (;;) {
    // Before the look: what is appended after it is for the next one.
    const filled = isFilled();
    const lags = yield* projection.lag;
    if (filled) ends ??= new Map(lags.map(({ shard, head }) => [shard, head]));
    const behind = lags.map(({ shard, head, checkpoint }) => ({
      shard,
      events: (ends?.get(shard) ?? head) - checkpoint,
    }));
    const lag = behind.reduce((sum, { events }) => sum + Math.max(0, events), 0);
    onLag(lag);
    if (filled && lag === 0) return;
    let projected = 0;
    for (const { shard, events } of behind) {
      if (events < (filled ? 1 : STEP_EVENTS_MAX)) continue;
      projected += (yield* advance(shard, STEP_EVENTS_MAX)).projected;
    }
    if (projected === 0) yield* Effect.sleep(PAUSE);
  }
});
