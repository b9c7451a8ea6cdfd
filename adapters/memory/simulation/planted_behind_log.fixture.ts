import { Clock, Effect } from "effect";

import type { RecordedEvent } from "../../../core/event/event.ts";
import { ProjectionUnavailable } from "../../../core/projection/projection.ts";
import { fold, NO_ROWS } from "../../../core/projection/read_model.ts";
import { READ_MODELS } from "../../../core/projection/read_models.ts";
import { type MemoryShard, shardIn } from "../store.ts";
import type { PlantedBug } from "./plant.fixture.ts";
import { isUnfoldable } from "./poison.fixture.ts";

const skipsDedupe: PlantedBug = {
  title: "a log that does not look for what it holds",
  breaks: "an identity is in the log once",
  backend: (backend) => ({
    ...backend,
    log: {
      ...backend.log,
      append: (shard, events) =>
        Effect.gen(function* () {
          const recordedAt = yield* Clock.currentTimeMillis;
          const rows = shardIn(backend.store, shard).events;
          for (const event of events) {
            rows.push({ ...event, shard, position: rows.length + 1, recordedAt });
          }
          return { duplicates: [], conflicts: [] };
        }),
    },
  }),
};

const movesCheckpointApart: PlantedBug = {
  title: "a projector that moves the checkpoint in a transaction of its own",
  breaks: "read models are the fold of the log",
  ports: (ports, wire, { store }) => ({
    ...ports,
    projection: {
      ...ports.projection,
      step: (shard, limit) => {
        const target = shardIn(store, shard);
        const away = (cause: string) => new ProjectionUnavailable({ cause });
        const commit = <A>(name: string, change: () => A) =>
          wire.call({
            station: "projection",
            name,
            effect: Effect.sync(change),
            away,
            tell: () => `shard ${shard}`,
          });
        return Effect.gen(function* () {
          const { checkpoint } = target;
          const slice = target.events.slice(checkpoint, checkpoint + limit);
          // Poison has its own bug; here it goes the usual way.
          if (slice.length === 0 || slice.some(isUnfoldable)) {
            return yield* ports.projection.step(shard, limit);
          }
          yield* commit("fold", () => foldInto(target, slice));
          yield* commit("move", () => (target.checkpoint = checkpoint + slice.length));
          const accounts = [...new Set(slice.map(({ accountId }) => accountId))];
          return { projected: slice.length, checkpoint: target.checkpoint, accounts };
        });
      },
    },
  }),
};

const countsDeliveries: PlantedBug = {
  title: "read models that count what is delivered, not what is in the log",
  breaks: "read models are the fold of the log",
  backend: (backend) => ({
    ...backend,
    log: {
      ...backend.log,
      append: (shard, events) =>
        Effect.tap(backend.log.append(shard, events), ({ duplicates }) =>
          Effect.sync(() => {
            const target = shardIn(backend.store, shard);
            const again = duplicates.flatMap((index) => {
              const event = events[index];
              return event === undefined ? [] : { ...event, shard, position: 0, recordedAt: 0 };
            });
            foldInto(target, again);
          }),
        ),
    },
  }),
};

const skipsAnything: PlantedBug = {
  title: "a projector that skips whatever comes next",
  breaks: "only what cannot be folded is poisoned",
  backend: (backend) => ({
    ...backend,
    projection: {
      ...backend.projection,
      skip: (shard, _position, reason) =>
        Effect.suspend(() => {
          const { checkpoint } = shardIn(backend.store, shard);
          return backend.projection.skip(shard, checkpoint + 1, reason);
        }),
    },
  }),
};

const trustsAnnouncements: PlantedBug = {
  title: "a cache that trusts every step to be announced",
  breaks: "a summary is of a state of the log",
  horizon: (horizon) => {
    const begun = new Set<number>();
    return {
      ...horizon,
      observe: (shard, checkpoint) => {
        if (!begun.has(shard)) horizon.observe(shard, checkpoint);
        begun.add(shard);
      },
    };
  },
};

/** Bugs between the log and a summary. */
export const PLANTED_BEHIND_LOG: ReadonlyArray<PlantedBug> = [
  skipsDedupe,
  movesCheckpointApart,
  countsDeliveries,
  skipsAnything,
  trustsAnnouncements,
];

const foldInto = (target: MemoryShard, events: ReadonlyArray<RecordedEvent>): void => {
  for (const model of READ_MODELS) {
    target.rows.set(model.name, fold(model, target.rows.get(model.name) ?? NO_ROWS, events));
  }
};
