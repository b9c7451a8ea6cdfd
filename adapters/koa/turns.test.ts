import { setImmediate } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeTurns } from "./turns.ts";

const test = suite("turns");

/** Work that notes its name when it is its turn. */
const noted =
  (turns: ReturnType<typeof makeTurns>, ran: string[]) => async (name: string, weight: number) => {
    await turns.wait(weight);
    ran.push(name);
  };

test("what fits into a round runs at once", () => {
  const turns = makeTurns(10);
  assert.is(turns.wait(4), undefined);
  assert.is(turns.wait(6), undefined);
  assert.ok(turns.wait(1) instanceof Promise);
});

test("the rest has its turn in the next rounds, first come first served, and others in between", async () => {
  const turns = makeTurns(10);
  const ran: string[] = [];
  const work = noted(turns, ran);
  const all = [work("a", 6), work("b", 6), work("c", 4), work("d", 6), work("e", 1)];
  await Promise.resolve();
  assert.equal(ran, ["a"]);
  const rounds: string[][] = [];
  for (let round = 0; round < 3; round++) {
    await setImmediate();
    rounds.push(ran.splice(0));
  }
  assert.equal(rounds.flat(), ["a", "b", "c", "d", "e"]);
  assert.ok(
    rounds.every((names) => names.filter((name) => name === "b" || name === "d").length < 2),
  );
  await Promise.all(all);
});

test("what is heavier than a round has one for itself, and does not wait for ever", async () => {
  const turns = makeTurns(10);
  const ran: string[] = [];
  const work = noted(turns, ran);
  const all = [work("light", 1), work("heavy", 100), work("heavy too", 100), work("light too", 1)];
  await Promise.all(all);
  assert.equal(ran, ["light", "heavy", "heavy too", "light too"]);
});

test("a later round owes nothing to an earlier one", async () => {
  const turns = makeTurns(10);
  void turns.wait(100);
  await setImmediate();
  await setImmediate();
  assert.is(turns.wait(10), undefined);
});

test.run();
