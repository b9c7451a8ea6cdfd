import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { DeadLetters } from "../../core/queue/dead_letters.ts";
import { dropAllIfConfirmed } from "./commands.ts";

const test = suite("npm run deadletters -- drop --all");

const letter = (id: string) => ({
  id,
  events: 2,
  retries: 1,
  failure: null,
  queuedAt: 0,
  diedAt: 0,
});

/** Two dead letters, and the ids of those that were dropped. */
const makeFake = () => {
  const dropped: string[] = [];
  const held = [letter("a"), letter("b")];
  const letters: DeadLetters["Service"] = {
    list: () => Effect.sync(() => [...held]),
    find: () => Effect.die("not needed"),
    redrive: () => Effect.die("not needed"),
    drop: (id) => Effect.sync(() => dropped.push(id) > 0),
  };
  return { letters, held, dropped };
};

const answering = async (answer: string) => {
  const { letters, held, dropped } = makeFake();
  const asked: string[] = [];
  const code = await dropAllIfConfirmed(letters, async (question) => {
    asked.push(question);
    held.push(letter("late"));
    return answer;
  });
  return { code, dropped, asked };
};

test("it says how many events will never be counted, and drops nothing without a yes", async () => {
  for (const answer of ["", "n", "no", "yesterday", "all"]) {
    const { code, dropped, asked } = await answering(answer);
    assert.equal([code, dropped], [1, []], answer);
    assert.match(asked.join(), /^Drop all 2 dead letters\? Their 4 accepted events .* \[y\/N\] $/);
  }
});

test("a yes does not drop a dead letter that arrived after the question", async () => {
  for (const answer of ["y", "yes", " Yes "]) {
    assert.equal((await answering(answer)).dropped, ["a", "b"], answer);
  }
});

test.run();
