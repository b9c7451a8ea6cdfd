import { Effect } from "effect";

import type { Generation, Generations } from "../../core/projection/generations.ts";
import type { Lag, ProjectionUnavailable } from "../../core/projection/projection.ts";
import { count, duration } from "../shared/format.ts";

/** A generation and the lag of its shards. A retired one has none: no projector updates it. */
interface GenerationStatus {
  readonly generation: Generation;
  readonly lags: ReadonlyArray<Lag>;
}

/** Describes every generation and the lag of its shards. */
export const statusText = (
  generations: Generations["Service"],
  json: boolean,
): Effect.Effect<string, ProjectionUnavailable> =>
  Effect.gen(function* () {
    const statuses = yield* Effect.forEach(yield* generations.list, (generation) =>
      Effect.map(
        generation.state === "retired" ? Effect.succeed([]) : generations.lag(generation),
        (lags): GenerationStatus => ({ generation, lags }),
      ),
    );
    return json ? JSON.stringify(statuses.map(shown), null, 2) : statuses.map(table).join("\n\n");
  });

const shown = ({ generation, lags }: GenerationStatus) => ({
  generation: generation.number,
  state: generation.state,
  read_models: generation.versions,
  started_at: instant(generation.startedAt),
  flipped_at: generation.flippedAt === null ? null : instant(generation.flippedAt),
  shards: lags.map(({ shard, checkpoint, head, seconds }) => ({
    shard,
    position: checkpoint,
    head,
    lag_events: head - checkpoint,
    lag_seconds: seconds,
  })),
});

const table = ({ generation, lags }: GenerationStatus): string => {
  const { number, state, startedAt, flippedAt } = generation;
  const since =
    flippedAt === null
      ? `${state}, started ${instant(startedAt)}`
      : `${state === "live" ? "" : `${state}, was `}live since ${instant(flippedAt)}`;
  const title = `Generation ${number}: ${since}`;
  if (lags.length === 0) return title;
  const rows = lags.map(({ shard, checkpoint, head, seconds }) =>
    row(
      String(shard),
      count(checkpoint),
      count(head),
      `${count(head - checkpoint)} events, ${duration(seconds)}`,
    ),
  );
  return [title, row("SHARD", "POSITION", "HEAD", "LAG"), ...rows].join("\n");
};

const row = (shard: string, position: string, head: string, lag: string): string =>
  `  ${shard.padStart(5)}  ${position.padStart(15)}  ${head.padStart(15)}  ${lag}`;

const instant = (ms: number): string => new Date(ms).toISOString();
