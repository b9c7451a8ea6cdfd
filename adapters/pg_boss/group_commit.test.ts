import { setTimeout as sleep } from "node:timers/promises";

import { Effect, Exit, Fiber } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type GroupCommitOptions, makeGroupCommit } from "./group_commit.ts";

const test = suite("group commit");

type Pace = Pick<GroupCommitOptions<number, string>, "commitsMax" | "paceMsMax" | "weightFull">;

/** A commit that ends when the test says so. */
const controlled = (weightMax = 1_000, pace: Partial<Pace> = {}) => {
  const groups: Array<{
    readonly items: ReadonlyArray<number>;
    readonly end: (error?: Error) => void;
  }> = [];
  const submit = makeGroupCommit<number, string>({
    commit: (items) =>
      new Promise((resolve, reject) => {
        groups.push({
          items,
          end: (error) => {
            if (error === undefined) resolve(items.map((item) => `receipt ${item}`));
            else reject(error);
          },
        });
      }),
    weigh: (item) => item,
    weightMax,
    commitsMax: 1,
    paceMsMax: 0,
    weightFull: 1_000,
    ...pace,
  });
  const start = (item: number) => Effect.runFork(submit(item));
  return { groups, start };
};

const outcome = <A, E>(fiber: Fiber.Fiber<A, E>) => Effect.runPromise(Fiber.await(fiber));
const soon = () => new Promise((resolve) => setImmediate(resolve));

test("an item that comes alone is committed at once, and has its receipt after the commit", async () => {
  const { groups, start } = controlled();
  const fiber = start(1);
  assert.equal(groups[0]?.items, [1]);
  assert.is(fiber.pollUnsafe(), undefined);
  groups[0]?.end();
  assert.equal(await outcome(fiber), Exit.succeed("receipt 1"));
});

test("items that come during a commit go together in the next one, each with its own receipt", async () => {
  const { groups, start } = controlled();
  const first = start(1);
  const others = [2, 3, 4].map(start);
  assert.is(groups.length, 1);
  groups[0]?.end();
  await outcome(first);
  await soon();
  assert.equal(groups[1]?.items, [2, 3, 4]);
  groups[1]?.end();
  assert.equal(
    await Promise.all(others.map(outcome)),
    [2, 3, 4].map((item) => Exit.succeed(`receipt ${item}`)),
  );
});

test("a second commit begins at a pace, and what comes in until then goes together", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 2, paceMsMax: 30 });
  const since = performance.now();
  const fibers = [1, 2, 3].map(start);
  await soon();
  assert.is(groups.length, 1);
  while (groups.length < 2) await soon();
  assert.ok(performance.now() - since >= 29);
  assert.equal(groups[1]?.items, [2, 3]);
  for (const { end } of groups) end();
  for (const fiber of fibers) assert.ok(Exit.isSuccess(await outcome(fiber)));
});

test("after a slow commit of several the next begins at the pace too, and after one of a single item at once", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 1, paceMsMax: 300 });
  const ending = async (fiber: ReturnType<typeof start>) => {
    groups.at(-1)?.end();
    assert.ok(Exit.isSuccess(await outcome(fiber)));
    await soon();
  };
  const first = start(1);
  const [second] = [2, 3].map(start);
  await ending(first);
  assert.equal(groups[1]?.items, [2, 3]);
  const since = performance.now();
  await sleep(150);
  if (second !== undefined) await ending(second);
  const fourth = start(4);
  await soon();
  assert.is(groups.length, 2);
  while (groups.length < 3) await soon();
  assert.ok(performance.now() - since >= 290);
  await ending(fourth);
  start(5);
  assert.equal(groups[3]?.items, [5]);
});

test("after a quick commit of several the next begins sooner: twice as long after it as it took", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 1, paceMsMax: 60_000 });
  const first = start(1);
  const [second] = [2, 3].map(start);
  assert.ok(second);
  groups[0]?.end();
  await outcome(first);
  await soon();
  const since = performance.now();
  await sleep(20);
  groups[1]?.end();
  await outcome(second);
  const tookMs = performance.now() - since;
  start(4);
  while (groups.length < 3) await soon();
  assert.ok(performance.now() - since >= 2 * tookMs - 5);
});

test("when no commit is under way any more, what waits is not kept waiting", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 2, paceMsMax: 60_000 });
  const first = start(1);
  start(2);
  groups[0]?.end();
  await outcome(first);
  await soon();
  assert.equal(groups[1]?.items, [2]);
});

test("what fills a row waits for no pace", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 2, paceMsMax: 60_000, weightFull: 10 });
  start(1);
  start(4);
  await soon();
  assert.is(groups.length, 1);
  start(6);
  assert.equal(groups[1]?.items, [4, 6]);
});

test("a commit that fails fails its own items only, and the next goes on", async () => {
  const { groups, start } = controlled();
  const first = start(1);
  const second = start(2);
  groups[0]?.end(new Error("the database is away"));
  const failed = await outcome(first);
  assert.ok(Exit.isFailure(failed));
  await soon();
  groups[1]?.end();
  assert.ok(Exit.isSuccess(await outcome(second)));
});

test("an item beyond the bound is refused at once, and accepted again when there is room", async () => {
  const { groups, start } = controlled(10);
  const first = start(6);
  const refused = await outcome(start(5));
  assert.ok(Exit.isFailure(refused));
  assert.match(JSON.stringify(refused), /QueueFull/);
  const fits = start(4);
  groups[0]?.end();
  await outcome(first);
  await soon();
  groups[1]?.end();
  assert.ok(Exit.isSuccess(await outcome(fits)));
});

test("an item larger than the bound is accepted when nothing waits", () => {
  const { groups, start } = controlled(10);
  start(11);
  assert.equal(groups[0]?.items, [11]);
});

test.run();
