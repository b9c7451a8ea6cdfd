import { setTimeout as delay } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { kept } from "./kept.ts";

const test = suite("an answer that is kept");

test("who asks at the same time, or a moment later, shares one answer", async () => {
  let asked = 0;
  const ask = kept(60_000, async () => {
    await delay(1);
    return ++asked;
  });
  assert.equal(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
  assert.is(await ask(), 1);
  assert.is(asked, 1);
});

test("an answer that is not kept is still shared while it is found out", async () => {
  let asked = 0;
  const ask = kept(0, async () => {
    await delay(1);
    return ++asked;
  });
  assert.equal(await Promise.all([ask(), ask()]), [1, 1]);
  assert.is(await ask(), 2);
});

test("a failure is told to all who wait, and the next one asks anew", async () => {
  let asked = 0;
  const ask = kept(60_000, async () => {
    await delay(1);
    if (++asked === 1) throw new Error("away");
    return asked;
  });
  const failed = await Promise.allSettled([ask(), ask()]);
  assert.equal(
    failed.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.is(await ask(), 2);
});

test.run();
