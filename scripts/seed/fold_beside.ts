import { Effect } from "effect";

import { Projection } from "../../core/projection/projection.ts";
import { advance, STEP_EVENTS_MAX } from "../../core/projection/projector.ts";

/** How long to wait when there is nothing to fold, or another projector is folding. */
const PAUSE = "20 millis";

/**
 * Folds a log while it is being filled. Returns once `isFilled` is true and the read models contain
 * everything that the log contained at that moment. Until then it takes only full steps, which cost
 * the least per event.
 *
 * @param onLag receives the number of events that are not folded yet, after each poll
 */
export const foldBeside = Effect.fnUntraced(function* (
  isFilled: () => boolean,
  onLag: (events: number) => void,
) {
  const projection = yield* Projection;
  /** The heads when the log was filled. A service can append more, and this must end. */
  let ends: ReadonlyMap<number, number> | undefined;
  for (;;) {
    // Before the poll, which therefore sees everything that was appended.
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
