import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { compress, decompress } from "./zstandard.ts";

const test = suite("Zstandard");

const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  // More than fits into the buffers of a stream.
  fc
    .integer({ min: 1, max: 400_000 })
    .map((length) => `${length} `.repeat(length).slice(0, length)),
);
const DAMAGES: ReadonlyArray<(frame: Buffer) => Buffer> = [
  (frame) => frame.subarray(0, frame.length >> 1),
  (frame) => frame.subarray(0, -1),
  (frame) => Buffer.concat([frame, Buffer.from("and more")]),
  (frame) => Buffer.concat([frame, frame]),
  (frame) => Buffer.from(frame.toReversed()),
  () => Buffer.alloc(0),
];

/** A truncated frame of an empty text lacks nothing, so it cannot be recognized. */
const isNotEmpty = (text: string): boolean => text !== "";

/** More than the size of any text here. */
const BYTES_MAX = 10_000_000;

const compressed = (text: string): Promise<Buffer> => compress(text, (frame) => frame);
const textIn = (frame: Uint8Array): Promise<string> => decompress(frame, BYTES_MAX, String);

test("texts survive the round trip, however many are processed concurrently", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 8 }), async (all) => {
      const out = await Promise.all(all.map(async (text) => textIn(await compressed(text))));
      assert.equal(out, all);
    }),
    { numRuns: 50 },
  );
});

test("a damaged frame does not affect the following ones", async () => {
  await fc.assert(
    fc.asyncProperty(
      texts.filter(isNotEmpty),
      fc.constantFrom(...DAMAGES),
      async (text, damage) => {
        const frame = await compressed(text);
        const read = (found: Uint8Array): Promise<void> =>
          decompress(found, BYTES_MAX, (out) => {
            if (out.toString() !== text) throw new RangeError("not whole");
          });
        const damaged = read(damage(frame)).catch(() => {});
        await Promise.all([damaged, read(frame), read(frame)]);
      },
    ),
  );
});

test("output that cannot be read is rejected with the error of the reader", async () => {
  const error = await compress("text", () => {
    throw new RangeError("no good");
  }).catch((thrown: unknown) => thrown);
  assert.instance(error, RangeError);
  assert.is(await textIn(await compressed("text")), "text");
});

test("a decompression bomb is stopped at the bound and does not affect the following frames", async () => {
  const bomb = await compressed("0".repeat(200_000_000));
  assert.ok(bomb.length < 100_000, `${bomb.length}`);
  let read = 0;
  const bounded = decompress(bomb, BYTES_MAX, ({ length }) => (read = length));
  const behind = await compressed("behind");
  const [outcome, text] = await Promise.all([
    bounded.then(
      () => "read",
      (error: unknown) => error,
    ),
    textIn(behind),
  ]);
  assert.instance(outcome, RangeError);
  assert.is(read, 0);
  assert.is(text, "behind");
  // One byte more than the bound is too much, and the bound itself is not.
  const frame = await compressed("x".repeat(1_000));
  assert.is(await decompress(frame, 1_000, String), "x".repeat(1_000));
  assert.instance(
    await decompress(frame, 999, String).catch((error: unknown) => error),
    RangeError,
  );
});

test.run();
