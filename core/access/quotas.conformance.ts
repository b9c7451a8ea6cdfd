import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { TokenBuckets } from "./quotas.ts";

export interface OpenedTokenBuckets {
  readonly buckets: TokenBuckets;
  readonly close: () => Promise<void>;
}

/** What every adapter of `TokenBuckets` promises. */
export const tokenBucketsConformance = (
  adapter: string,
  open: () => Promise<OpenedTokenBuckets>,
): void => {
  const test = suite(`TokenBuckets: ${adapter}`);
  let opened: OpenedTokenBuckets;
  test.before.each(async () => {
    opened = await open();
  });
  test.after.each(() => opened.close());

  const NOW = 1_800_000_000_000;
  const take = (events: number, at: number, name = "a", perMinute = 60) =>
    Effect.runPromise(opened.buckets.take([{ name, events, perMinute }], NOW + at));

  test("a bucket gives the tokens of one minute, and no more", async () => {
    for (let i = 0; i < 60; i++) assert.is(await take(1, 0), undefined, `${i}`);
    assert.is(await take(1, 0), 1);
  });

  test("it fills at its rate", async () => {
    assert.is(await take(60, 0), undefined);
    assert.is(await take(1, 999), 1);
    assert.is(await take(1, 1_000), undefined);
    assert.is(await take(1, 1_001), 1);
    assert.is(await take(5, 6_001), undefined);
    // And never above its capacity.
    assert.is(await take(60, 3_600_000), undefined);
    assert.is(await take(1, 3_600_000), 1);
  });

  test("more than a bucket can hold passes when it is full, and is paid off afterwards", async () => {
    assert.is(await take(180, 0), undefined);
    assert.is(await take(1, 0), 121);
    assert.is(await take(1, 120_000), 1);
    assert.is(await take(1, 121_000), undefined);
  });

  test("several charges are taken all or none", async () => {
    const charges = (events: number) => [
      { name: "a", events, perMinute: 60 },
      { name: "b", events, perMinute: 600 },
    ];
    const both = (events: number, at: number) =>
      Effect.runPromise(opened.buckets.take(charges(events), NOW + at));
    assert.is(await take(60, 0), undefined);
    assert.is(await both(1, 0), 1);
    // Nothing was taken from the other bucket.
    assert.is(await take(600, 0, "b", 600), undefined);
    assert.is(await take(1, 0, "b", 600), 1);
  });

  test("buckets with different names are independent", async () => {
    assert.is(await take(60, 0, "a"), undefined);
    assert.is(await take(60, 0, "b"), undefined);
    assert.is(await take(1, 0, "a"), 1);
  });

  test("a clock that goes back neither fills nor breaks a bucket", async () => {
    assert.is(await take(60, 10_000), undefined);
    assert.is(await take(1, 0), 1);
    assert.is(await take(1, 11_000), undefined);
  });

  test("two clocks that disagree do not refill a bucket", async () => {
    assert.is(await take(58, 10_000), undefined);
    // Otherwise each take by the slow clock would set the bucket back, and the fast one would refill it.
    assert.is(await take(1, 0), undefined);
    assert.is(await take(1, 10_000), undefined);
    assert.is(await take(1, 0), 1);
    assert.is(await take(1, 10_000), 1);
  });

  const giveBack = (events: number, at: number, perMinute = 60) =>
    Effect.runPromise(opened.buckets.giveBack([{ name: "a", events, perMinute }], NOW + at));

  test("charges that are given back can be taken again, and no more", async () => {
    assert.is(await take(60, 0), undefined);
    await giveBack(20, 0);
    assert.is(await take(20, 0), undefined);
    assert.is(await take(1, 0), 1);
  });

  test("giving back a charge larger than the bucket leaves no debt", async () => {
    assert.is(await take(180, 0), undefined);
    await giveBack(180, 0);
    assert.is(await take(60, 0), undefined);
    assert.is(await take(1, 0), 1);
  });

  test("giving back never fills a bucket above its capacity", async () => {
    // Nothing was taken.
    await giveBack(1_000, 0);
    assert.is(await take(60, 0), undefined);
    assert.is(await take(1, 0), 1);
    // It has refilled in the meantime.
    await giveBack(60, 59_000);
    assert.is(await take(60, 59_000), undefined);
    assert.is(await take(1, 59_000), 1);
  });

  test("two clocks that disagree do not refill a bucket by giving back", async () => {
    assert.is(await take(60, 10_000), undefined);
    await giveBack(10, 0);
    assert.is(await take(10, 10_000), undefined);
    assert.is(await take(1, 10_000), 1);
    await giveBack(1, 20_000);
    // One at a time: ten have been refilled since, and one was given back.
    for (let i = 0; i < 11; i++) assert.is(await take(1, 0), undefined, `${i}`);
    assert.is(await take(1, 0), 1);
    assert.is(await take(1, 20_000), 1);
  });

  test("several charges are all given back", async () => {
    const charges = [
      { name: "a", events: 60, perMinute: 60 },
      { name: "b", events: 600, perMinute: 600 },
    ];
    assert.is(await Effect.runPromise(opened.buckets.take(charges, NOW)), undefined);
    await Effect.runPromise(opened.buckets.giveBack(charges, NOW));
    assert.is(await take(60, 0), undefined);
    assert.is(await take(600, 0, "b", 600), undefined);
  });

  test.run();
};
