import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { compress, decompress } from "./zstandard.ts";

const test = suite("Zstandard");

const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  // More than the buffers of a stream hold.
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

/** Nothing of an empty text is missing when its frame is cut off, so that nobody could tell. */
const isNotEmpty = (text: string): boolean => text !== "";

/** More than any text here has. */
const BYTES_MAX = 10_000_000;

const compressed = (text: string): Promise<Buffer> => compress(text, (frame) => frame);
const textIn = (frame: Uint8Array): Promise<string> => decompress(frame, BYTES_MAX, String);

test("texts come out as they went in, however many are on their way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 8 }), async (all) => {
      const out = await Promise.all(all.map(async (text) => textIn(await compressed(text))));
      assert.equal(out, all);
    }),
    { numRuns: 50 },
  );
});

test("a damaged frame does no harm to those behind it", async () => {
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

test("what nobody can read is rejected with the error of who tried", async () => {
  const error = await compress("text", () => {
    throw new RangeError("no good");
  }).catch((thrown: unknown) => thrown);
  assert.instance(error, RangeError);
  assert.is(await textIn(await compressed("text")), "text");
});

test("a frame that inflates without end is given up at the bound, and does no harm to those behind it", async () => {
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
  // One byte more than may be is too much, and as many as may be are not.
  const frame = await compressed("x".repeat(1_000));
  assert.is(await decompress(frame, 1_000, String), "x".repeat(1_000));
  assert.instance(
    await decompress(frame, 999, String).catch((error: unknown) => error),
    RangeError,
  );
});

test.run();
