import { Effect } from "effect";

import type { Generation, Generations } from "../../core/projection/generations.ts";
import type { Lag, ProjectionUnavailable } from "../../core/projection/projection.ts";
import { count, duration } from "../terminal/progress_line.ts";

/** A generation, and how far it is behind the log; nothing where nobody keeps it up any more. */
interface Told {
  readonly generation: Generation;
  readonly lags: ReadonlyArray<Lag>;
}

/** Tells of every generation which it is and, shard by shard, how far it is behind the log. */
export const statusText = (
  generations: Generations["Service"],
  json: boolean,
): Effect.Effect<string, ProjectionUnavailable> =>
  Effect.gen(function* () {
    const told = yield* Effect.forEach(yield* generations.list, (generation) =>
      Effect.map(
        // Nobody keeps it up: how far it is behind says nothing.
        generation.state === "retired" ? Effect.succeed([]) : generations.lag(generation),
        (lags): Told => ({ generation, lags }),
      ),
    );
    return json ? JSON.stringify(told.map(shown), null, 2) : told.map(table).join("\n\n");
  });

const shown = ({ generation, lags }: Told) => ({
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

const table = ({ generation, lags }: Told): string => {
  const { number, state, startedAt, flippedAt } = generation;
  const since =
    flippedAt === null
      ? `${state}, begun ${instant(startedAt)}`
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
