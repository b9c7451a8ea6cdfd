import { Effect } from "effect";

import { messageOf } from "../../core/printable.ts";
import type { Difference } from "../../core/projection/generations.ts";
import { type Rebuilt, rebuild, type RebuildProgress } from "../../core/projection/rebuild.ts";
import { explainDatabaseError, isNotMigrated } from "../../db/errors.ts";
import { count, duration, elapsed, plural } from "../shared/format.ts";
import { type Progress, progressLine } from "../shared/progress.ts";

export interface RebuildCommand {
  readonly acceptDifferences: boolean;
  readonly shardsAtOnce: number;
  readonly progress: Progress;
}

/** Rebuilds the read models, shows the progress, and returns the exit code. */
export const runRebuild = ({ acceptDifferences, shardsAtOnce, progress }: RebuildCommand) =>
  Effect.gen(function* () {
    const since = performance.now();
    const report = makeReport(progress);
    const rebuilt = yield* rebuild({ acceptDifferences, shardsAtOnce, report });
    const took = elapsed((performance.now() - since) / 1_000);
    progress.print(
      `${comparisonText(rebuilt)}\nGeneration ${rebuilt.generation} is live after ${took}. ` +
        "The previous generation is kept until npm run projector -- drop.",
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
    ? "Nothing was compared: all read models have another version than the previous ones."
    : `Every row of ${compared.join(", ")} is unchanged.`;
};

type RebuildError = Effect.Error<ReturnType<typeof rebuild>>;

const AGAIN = "npm run projector continues where it stopped.";

export const failureText = (error: RebuildError): string => {
  switch (error._tag) {
    case "GenerationsBusy":
      return `Another process is rebuilding or dropping a generation: ${error.holder}. Wait for it to finish.`;
    case "BuildOutdated":
      return (
        `Generation ${error.generation} was started with another version of the read models. ` +
        `Start again: npm run projector -- drop ${error.generation}, and then npm run projector`
      );
    case "EventPoisoned":
      return (
        `The event at position ${error.position} of shard ${error.shard} cannot be folded: ` +
        `${messageOf(error.cause)}. The live generation is unchanged. After a fix, ${AGAIN}`
      );
    case "ReadModelsDiffer":
      return (
        `${error.differences.map(differenceText).join("\n")}\n` +
        `Generation ${error.generation} is built but not live: the live read models have the same version and differ from ` +
        "the log, so they are wrong.\n" +
        "npm run projector -- verify lists the wrong rows. " +
        "npm run projector -- --accept-differences replaces them."
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
      ? "the same number of events in other rows"
      : `${plural(Math.abs(excess), "event")} ${excess > 0 ? "more" : "fewer"} than the log`;
  return `${readModel}, shard ${shard}: the live read model counts ${what}`;
};

const makeReport = (progress: Progress): ((stage: RebuildProgress) => void) => {
  let folding: { readonly sinceMs: number; readonly doneBefore: number } | undefined;
  return (stage) => {
    switch (stage._tag) {
      case "Started":
        progress.print(
          stage.resumed
            ? `Continuing to build generation ${stage.generation}`
            : `Building generation ${stage.generation} beside the live one`,
        );
        break;
      case "Folding": {
        folding ??= { sinceMs: performance.now(), doneBefore: stage.folded };
        const { folded: done, events: of } = stage;
        progress.show(progressLine("Folding", { done, of, ...folding }, performance.now()));
        break;
      }
      case "Preparing":
        progress.show(`Counting prepared windows: ${count(stage.pieces)}`);
        break;
      case "Comparing":
        progress.show(`Comparing with the live generation: shard ${stage.shards} of ${stage.of}`);
        break;
      case "FlipDelayed":
        progress.print(
          `The new generation cannot go live yet (${messageOf(stage.cause)}). ` +
            `Trying again in ${duration(stage.delayMs / 1_000)}.`,
        );
        break;
    }
  };
};
