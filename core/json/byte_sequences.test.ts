import { suite } from "uvu";
import * as assert from "uvu/assert";

import { decodeStrictly } from "../utf8.fixture.ts";
import { decodeUtf8 } from "../utf8.ts";
import { endOfUtf8Sequence } from "./byte_sequences.ts";

const test = suite("UTF-8 text");

/** Whether all of these bytes together are one character beyond ASCII. */
const isOneCharacter = (bytes: ReadonlyArray<number>): boolean => {
  const text = decodeStrictly(Uint8Array.from(bytes));
  return text !== undefined && Array.from(text).length === 1;
};

const assertAgrees = (bytes: ReadonlyArray<number>): void => {
  const end = endOfUtf8Sequence(Uint8Array.from(bytes), 0);
  const expected = [2, 3, 4].find((length) => isOneCharacter(bytes.slice(0, length))) ?? -1;
  assert.is(end, bytes.length < expected ? -1 : expected, bytes.join(" "));
};

/** The bytes at the edges of allowed ranges, and their neighbours. */
const EDGES = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];

test("a sequence is valid exactly if a strict decoder accepts it", () => {
  for (let first = 0x80; first < 0x100; first++) {
    assertAgrees([first]);
    for (let second = 0; second < 0x100; second++) assertAgrees([first, second]);
    for (const second of EDGES) {
      for (const third of EDGES) {
        assertAgrees([first, second, third]);
        for (const fourth of [0x41, 0x80, 0xbf, 0xc0]) {
          assertAgrees([first, second, third, fourth]);
        }
      }
    }
  }
});

test("a part of some bytes is decoded, including a byte order mark", () => {
  const bytes = Uint8Array.from([0x61, 0xef, 0xbb, 0xbf, 0xc3, 0xbc, 0x62]);
  assert.is(decodeUtf8(bytes, 1, 6), "\ufeffü");
});

test.run();
