import { Effect } from "effect";

import type { Generations } from "../../core/projection/generations.ts";
import { failureText } from "./rebuild.ts";

/**
 * Drops the generations with these numbers, or all that are not live, and returns the exit code.
 *
 * @throws ProjectionUnavailable
 */
export const runDrop = async (
  generations: Generations["Service"],
  numbers: ReadonlyArray<number>,
  say: (line: string) => void,
): Promise<number> => {
  const listed = await Effect.runPromise(generations.list);
  const others = listed.filter(({ state }) => state !== "live").map(({ number }) => number);
  const chosen = numbers.length > 0 ? numbers : others;
  if (chosen.length === 0) say("Nothing to drop: the live generation is the only one.");
  let failed = false;
  for (const number of chosen) {
    const outcome = await Effect.runPromise(
      Effect.catchTag(generations.drop(number), "GenerationsBusy", (busy) => Effect.succeed(busy)),
    );
    failed ||= outcome !== "dropped";
    say(textOf(number, outcome));
  }
  return failed ? 1 : 0;
};

type Outcome = Effect.Success<ReturnType<Generations["Service"]["drop"]>> | Busy;
type Busy = Extract<Parameters<typeof failureText>[0], { readonly _tag: "GenerationsBusy" }>;

const textOf = (number: number, outcome: Outcome): string => {
  switch (outcome) {
    case "dropped":
      return `Generation ${number} is dropped.`;
    case "live":
      return `Generation ${number} is live and was kept: reads need it.`;
    case "unknown":
      return `Generation ${number} does not exist. npm run projector -- status shows all generations.`;
    default:
      return failureText(outcome);
  }
};
