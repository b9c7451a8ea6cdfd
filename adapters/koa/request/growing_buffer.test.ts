import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { heldPiece, makeGrowingBuffer } from "./growing_buffer.ts";

const test = suite("growing buffer");

const MAX = 1_048_576;

test("it contains what was appended, and charges what it allocates: at most twice as much", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 20_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(pieces, (all) => {
      let charged = 0;
      const buffer = makeGrowingBuffer(MAX, (bytes) => {
        charged += bytes;
        return true;
      });
      for (const piece of all) {
        assert.ok(buffer.append(piece));
        assert.is(buffer.capacity(), charged);
        assert.ok(charged <= Math.max(4_096, 2 * buffer.length()), `${charged}`);
      }
      assert.equal(Buffer.from(buffer.bytes()), Buffer.concat(all));
    }),
    { numRuns: 100 },
  );
});

test("it never allocates more than its maximum length, and refuses to grow beyond", () => {
  let charged = 0;
  const buffer = makeGrowingBuffer(5_000, (bytes) => {
    charged += bytes;
    return true;
  });
  buffer.append(new Uint8Array(4_999));
  assert.is(charged, 5_000);
  buffer.append(new Uint8Array(1));
  assert.is(charged, 5_000);
  assert.throws(() => buffer.append(new Uint8Array(1)), /5001 bytes of at most 5000/);
});

test("a piece that it may not grow for is not appended, and its contents stay", () => {
  let allowed = true;
  const buffer = makeGrowingBuffer(MAX, () => allowed);
  assert.ok(buffer.append(Uint8Array.of(1, 2, 3)));
  allowed = false;
  assert.not(buffer.append(new Uint8Array(10_000)));
  assert.ok(buffer.append(Uint8Array.of(4)), "this one fits");
  assert.equal(buffer.bytes(), Uint8Array.of(1, 2, 3, 4));
});

test("free() releases the memory immediately, also of bytes that are still referenced", () => {
  const buffer = makeGrowingBuffer(MAX, () => true);
  buffer.append(new Uint8Array(100_000));
  const bytes = buffer.bytes();
  buffer.free();
  assert.is(bytes.length, 0);
  assert.is(bytes.buffer.byteLength, 0);
  assert.is(buffer.capacity(), 0);
  assert.is(buffer.bytes().length, 0);
});

test("a body in one piece is not copied", () => {
  const piece = Uint8Array.of(1, 2, 3);
  assert.is(heldPiece(piece).bytes(), piece);
  assert.is(heldPiece(piece).capacity(), 3);
});

test.run();
