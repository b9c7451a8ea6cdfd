import { setTimeout as sleep } from "node:timers/promises";

import { Effect, Exit, Fiber } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type GroupCommitOptions, makeGroupCommit } from "./group_commit.ts";

const test = suite("group commit");

type Changed = Omit<GroupCommitOptions<number, string>, "commit" | "bytesOf" | "bytesMax">;

/** A commit that ends when the test ends it. */
const controlled = (bytesMax = 1_000, changed: Partial<Changed> = {}) => {
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
    diagnose: () => "away",
    bytesOf: (item) => item,
    bytesMax,
    clientOf: () => "the only one",
    clientBytesMax: bytesMax,
    commitBytesMax: Number.POSITIVE_INFINITY,
    commitsMax: 1,
    paceMsMax: 0,
    fills: (item) => item / 1_000,
    ...changed,
  });
  const start = (item: number) => Effect.runFork(submit(item));
  return { groups, start };
};

const outcome = <A, E>(fiber: Fiber.Fiber<A, E>) => Effect.runPromise(Fiber.await(fiber));
const soon = () => new Promise((resolve) => setImmediate(resolve));

test("an item that arrives alone is committed immediately and gets its receipt after the commit", async () => {
  const { groups, start } = controlled();
  const fiber = start(1);
  assert.equal(groups[0]?.items, [1]);
  assert.is(fiber.pollUnsafe(), undefined);
  groups[0]?.end();
  assert.equal(await outcome(fiber), Exit.succeed("receipt 1"));
});

test("items that arrive during a commit share the next one, each with its own receipt", async () => {
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

test("a second commit starts after a pause, and items that arrive until then share it", async () => {
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

test("after a slow commit of several items the next one starts after the longest pause, and after one of a single item immediately", async () => {
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

test("after a quick commit of several items the next one starts after twice its duration", async () => {
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

test("when no commit is running any more, a single waiting item is committed", async () => {
  const { groups, start } = controlled(1_000, { commitsMax: 2, paceMsMax: 60_000 });
  const first = start(1);
  start(2);
  groups[0]?.end();
  await outcome(first);
  await soon();
  assert.equal(groups[1]?.items, [2]);
});

test("items that fill a row do not wait", async () => {
  const { groups, start } = controlled(1_000, {
    commitsMax: 2,
    paceMsMax: 60_000,
    fills: (item) => item / 10,
  });
  start(1);
  start(4);
  await soon();
  assert.is(groups.length, 1);
  start(6);
  assert.equal(groups[1]?.items, [4, 6]);
});

test("a failed commit fails only its own items, and the next one starts", async () => {
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

test("an item beyond the bound is refused immediately, and accepted when there is room", async () => {
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

test("a client has a share of the bound, and others are accepted when it is used up", async () => {
  // One client has the odd items, the other one the even ones.
  const clientOf = (item: number): string => (item % 2 === 1 ? "odd" : "even");
  const { groups, start } = controlled(20, { clientOf, clientBytesMax: 10 });
  const first = start(7);
  assert.match(JSON.stringify(await outcome(start(5))), /QueueFull/);
  const others = [start(3), start(8)];
  // Both have used their share, or would exceed it.
  assert.match(JSON.stringify(await outcome(start(1))), /QueueFull/);
  assert.match(JSON.stringify(await outcome(start(4))), /QueueFull/);
  groups[0]?.end();
  await outcome(first);
  await soon();
  groups[1]?.end();
  for (const fiber of others) assert.ok(Exit.isSuccess(await outcome(fiber)));
  // Everything is free again.
  await soon();
  const again = start(9);
  groups[2]?.end();
  assert.ok(Exit.isSuccess(await outcome(again)));
});

test("a commit has at most its bound of bytes, or one item; the others follow in the next ones, in order", async () => {
  const { groups, start } = controlled(1_000, { commitBytesMax: 10 });
  const fibers = [1, 4, 6, 1, 25, 9].map(start);
  for (let i = 0; i < 5; i++) {
    groups[i]?.end();
    await soon();
  }
  assert.equal(
    groups.map(({ items }) => items),
    [[1], [4, 6], [1], [25], [9]],
  );
  for (const fiber of fibers) assert.ok(Exit.isSuccess(await outcome(fiber)));
});

test.run();
