import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { editsBetween, nearestName } from "./nearest_name.ts";

const test = suite("nearest name");

const KNOWN = ["AUTH", "HOST", "PORT", "DATABASE_URL", "QUEUE_DEPTH_MAX", "SHUTDOWN_DELAY_MS"];

test("a name that was mistyped is recognised", () => {
  for (const [given, meant] of [
    ["AUHT", "AUTH"],
    ["auth", "AUTH"],
    ["PROT", "PORT"],
    ["DATABSE_URL", "DATABASE_URL"],
    ["DATABASEURL", "DATABASE_URL"],
    ["QUEUE_DEPHT_MAX", "QUEUE_DEPTH_MAX"],
    ["QUEUE_DEPTH", "QUEUE_DEPTH_MAX"],
    ["SHUTDOWN_DELAY", "SHUTDOWN_DELAY_MS"],
  ] as const) {
    assert.is(nearestName(given, KNOWN), meant, given);
  }
});

test("a name that is merely short, or shares a word, is taken for none", () => {
  for (const given of ["PATH", "HOME", "HOSTNAME", "BASE_URL", "SHUTDOWN", "QUEUE", "DATABASE", ""])
    assert.is(nearestName(given, KNOWN), undefined, given);
});

const text = fc.string({ unit: fc.constantFrom("A", "B", "C"), maxLength: 6 });

test("one edit is one edit, whichever way", () => {
  const edits = (word: string, at: number): ReadonlyArray<string> => {
    const [before, letter = "", next = "", after] = [
      word.slice(0, at),
      word[at],
      word[at + 1],
      word.slice(at + 2),
    ];
    return [
      `${before}X${letter}${next}${after}`,
      before + next + after,
      `${before}X${next}${after}`,
    ];
  };
  fc.assert(
    fc.property(
      text.filter(({ length }) => length > 0),
      fc.nat(),
      (word, n) => {
        for (const edited of edits(word, n % word.length)) assert.is(editsBetween(word, edited), 1);
      },
    ),
  );
  assert.is(editsBetween("AUHT", "AUTH"), 1);
});

test("it is symmetric, zero for equal texts alone, and no more than the longer one has letters", () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      const edits = editsBetween(one, other);
      assert.is(edits, editsBetween(other, one));
      assert.is(edits === 0, one === other);
      assert.ok(edits <= Math.max(one.length, other.length));
      assert.ok(edits >= Math.abs(one.length - other.length));
    }),
  );
});

test.run();
