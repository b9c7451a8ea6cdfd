import { Effect } from "effect";

import type { Difference } from "../../core/projection/generations.ts";
import { type Rebuilt, rebuild, type RebuildProgress } from "../../core/projection/rebuild.ts";
import { messageOf } from "../../db/errors.ts";
import { explainDatabaseError, isNotMigrated } from "../../db/explain.ts";
import type { Progress } from "../terminal/progress.ts";
import { count, duration, elapsed, progressLine } from "../terminal/progress_line.ts";

export interface RebuildCommand {
  readonly acceptDifferences: boolean;
  readonly shardsAtOnce: number;
  readonly progress: Progress;
}

/** Rebuilds the read models and tells how it goes; returns the exit code. */
export const runRebuild = ({ acceptDifferences, shardsAtOnce, progress }: RebuildCommand) =>
  Effect.gen(function* () {
    const since = performance.now();
    const report = makeReport(progress);
    const rebuilt = yield* rebuild({ acceptDifferences, shardsAtOnce, report });
    const took = elapsed((performance.now() - since) / 1_000);
    progress.print(
      `${comparisonText(rebuilt)}\nGeneration ${rebuilt.generation} is live after ${took}. ` +
        "The one before it is kept until npm run projector -- drop",
    );
    return 0;
  }).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        progress.print(failureText(error));
        return 1;
      }),
    ),
  );

const comparisonText = ({ compared, differences }: Rebuilt): string => {
  if (differences.length > 0) return differences.map(differenceText).join("\n");
  return compared.length === 0
    ? "Nothing was compared: all read models are of another version than the ones before them."
    : `Every row of ${compared.join(", ")} is the same as before.`;
};

type RebuildError = Effect.Error<ReturnType<typeof rebuild>>;

const AGAIN = "npm run projector goes on where it stopped.";

export const failureText = (error: RebuildError): string => {
  switch (error._tag) {
    case "GenerationsBusy":
      return `Somebody else rebuilds or drops a generation: ${error.holder}. Only one can at a time.`;
    case "BuildOutdated":
      return (
        `Generation ${error.generation} was begun by another version of the read models. ` +
        `Begin anew: npm run projector -- drop ${error.generation}, and then npm run projector`
      );
    case "EventPoisoned":
      return (
        `The event at position ${error.position} of shard ${error.shard} cannot be folded: ` +
        `${messageOf(error.cause)}. Nothing was flipped. With that mended, ${AGAIN}`
      );
    case "ReadModelsDiffer":
      return (
        `${error.differences.map(differenceText).join("\n")}\n` +
        `Generation ${error.generation} is built and not flipped: the live read models say something else ` +
        "than the log, though both are of the same version, so that one of them is wrong.\n" +
        "npm run projector -- verify lists the live rows that are. " +
        "To have the log's word: npm run projector -- --accept-differences"
      );
    case "ProjectionUnavailable":
      return isNotMigrated(error.cause)
        ? explainDatabaseError(error)
        : `${explainDatabaseError(error)}\nNothing is lost: ${AGAIN}`;
  }
};

const differenceText = ({ shard, readModel, excess }: Difference): string => {
  const what =
    excess === 0
      ? "counts as many events, but not in the same rows"
      : `counts ${count(Math.abs(excess))} events ${excess > 0 ? "more" : "fewer"}`;
  return `${readModel}, shard ${shard}: the live one ${what}`;
};

/** Shows each stage, and how far it is. */
const makeReport = (progress: Progress): ((told: RebuildProgress) => void) => {
  let folding: { readonly sinceMs: number; readonly doneBefore: number } | undefined;
  return (told) => {
    switch (told._tag) {
      case "Begun":
        progress.print(
          told.resumed
            ? `Generation ${told.generation} was begun before: it goes on where it stopped`
            : `Generation ${told.generation} is built beside the live one`,
        );
        break;
      case "Folding": {
        folding ??= { sinceMs: performance.now(), doneBefore: told.folded };
        const { folded: done, events: of } = told;
        progress.show(progressLine("Folding", { done, of, ...folding }, performance.now()));
        break;
      }
      case "Preparing":
        progress.show(`Counting the windows that are kept ready: ${count(told.pieces)}`);
        break;
      case "Comparing":
        progress.show(`Comparing with the live one: shard ${told.shards} of ${told.of}`);
        break;
      case "FlipDelayed":
        progress.print(
          `It is built, but cannot take over yet (${messageOf(told.cause)}): ` +
            `once more in ${duration(told.delayMs / 1_000)}`,
        );
        break;
    }
  };
};
