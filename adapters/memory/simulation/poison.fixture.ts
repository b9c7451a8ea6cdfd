import { Effect } from "effect";

import { type Event, identityOf, type RecordedEvent } from "../../../core/event/event.ts";
import { AppendRefused, type EventLog } from "../../../core/log/event_log.ts";
import { type Projection, ProjectionRefused } from "../../../core/projection/projection.ts";
import { type MemoryStore, shardIn } from "../store.ts";

/** What begins the ids of events that the log never takes, and of those that cannot be folded. */
export const UNSTORABLE = "unstorable";
export const UNFOLDABLE = "unfoldable";

type Named = Pick<Event, "eventId">;
export const isUnstorable = ({ eventId }: Named): boolean => eventId.startsWith(UNSTORABLE);
export const isUnfoldable = ({ eventId }: Named): boolean => eventId.startsWith(UNFOLDABLE);

/** A log that refuses what is unstorable, and is as strict with its callers as a unique index. */
export const refusingLog = (log: EventLog["Service"]): EventLog["Service"] => ({
  ...log,
  append: (shard, events) =>
    Effect.suspend(() => {
      const identities = new Set(events.map(identityOf));
      if (identities.size < events.length) return Effect.die("an append of an identity twice");
      const poison = events.find(isUnstorable);
      return poison === undefined
        ? log.append(shard, events)
        : Effect.fail(new AppendRefused({ shard, cause: `${poison.eventId} cannot be stored` }));
    }),
});

/** Read models that refuse a range with what is unfoldable. */
export const refusingProjection = (
  projection: Projection["Service"],
  store: MemoryStore,
): Projection["Service"] => ({
  ...projection,
  step: (shard, limit) =>
    Effect.suspend(() => {
      const { events, checkpoint } = shardIn(store, shard);
      const poison = events.slice(checkpoint, checkpoint + limit).find(isUnfoldable);
      return poison === undefined
        ? projection.step(shard, limit)
        : Effect.fail(new ProjectionRefused({ shard, cause: aboutPoison(poison) }));
    }),
});

const aboutPoison = ({ eventId }: RecordedEvent): string => `${eventId} cannot be folded`;
