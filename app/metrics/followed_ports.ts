import { Effect } from "effect";

import { EventLog } from "../../core/log/event_log.ts";
import type { Projection, Step } from "../../core/projection/projection.ts";
import type { Visibility } from "../../core/projection/visibility.ts";
import type { Queue } from "../../core/queue/queue.ts";
import { currentTrace } from "../../core/trace.ts";

/** A queue whose jobs are followed from when they were appended, which is when they are settled. */
export const followedQueue = (
  queue: Queue["Service"],
  log: EventLog["Service"],
  visibility: Pick<Visibility, "follow">,
): Queue["Service"] => ({
  ...queue,
  acknowledge: (acknowledgements) => {
    const appended = acknowledgements.flatMap((acknowledgement) =>
      acknowledgement._tag === "Completed" ? [acknowledgement.job] : [],
    );
    const follow = Effect.provideService(visibility.follow(appended), EventLog, log);
    let begun = false;
    // Settling may be tried again. It waits for none of this.
    const begin = Effect.suspend(() => {
      if (begun) return Effect.void;
      begun = true;
      return Effect.forkDetach(follow);
    });
    return Effect.andThen(begin, queue.acknowledge(acknowledgements));
  },
});

/** A projection that tells at once how far this process has moved a checkpoint. */
export const followedProjection = (
  projection: Projection["Service"],
  visibility: Pick<Visibility, "moved">,
): Projection["Service"] => {
  const tell = (shard: number) => (step: Step) =>
    step.projected === 0
      ? Effect.void
      : Effect.map(currentTrace, (trace) => {
          visibility.moved(shard, step.checkpoint, trace);
        });
  return {
    ...projection,
    step: (shard, limit) => Effect.tap(projection.step(shard, limit), tell(shard)),
    skip: (shard, position, reason) =>
      Effect.tap(projection.skip(shard, position, reason), tell(shard)),
  };
};
