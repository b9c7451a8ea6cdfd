import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { SHARDS_DEFAULT, SHARDS_MAX, shardOf } from "./shard.ts";
import { unicodeText } from "./text.fixture.ts";

const test = suite("shardOf");

test("every account has a shard of the log", () => {
  fc.assert(
    fc.property(unicodeText(), fc.integer({ min: 1, max: SHARDS_MAX }), (account, shards) => {
      const shard = shardOf(account, shards);
      assert.ok(Number.isInteger(shard) && shard >= 0 && shard < shards, `${shard}`);
    }),
  );
});

// The shard is stored with every event: with another answer, an account's events would not be found.
test("an account stays on its shard for ever", () => {
  assert.is(SHARDS_DEFAULT, 8);
  const accounts = [
    "acme",
    "account-1",
    "account-2",
    "Ünï😀",
    "7d444840-9dc0-11d1-b245-5ffdce74fad2",
  ];
  const shardsOf = (shards: number) => accounts.map((account) => shardOf(account, shards));
  assert.equal(shardsOf(8), [1, 3, 4, 4, 2]);
  assert.equal(shardsOf(256), [121, 219, 84, 132, 90]);
  assert.equal(shardsOf(1), [0, 0, 0, 0, 0]);
});

/** Common forms of account ids. */
const NAMINGS: Readonly<Record<string, (i: number) => string>> = {
  counted: (i) => `${i}`,
  prefixed: (i) => `account-${i}`,
  padded: (i) => `${i}`.padStart(10, "0"),
  uuids: (i) =>
    `${hex(i, 8)}-${hex(i * 3, 4)}-7${hex(i * 5, 3)}-a${hex(i * 7, 3)}-${hex(i * 11, 12)}`,
};

/** Hexadecimal digits that look random and depend only on `i`. */
const hex = (i: number, digits: number): string =>
  ((Math.imul(i + 1, 0x9e3779b1) >>> 0) * 1_048_573)
    .toString(16)
    .padStart(digits, "0")
    .slice(-digits);

test("accounts spread evenly, whatever their names and the number of shards", () => {
  const accounts = 25_600;
  for (const [naming, name] of Object.entries(NAMINGS)) {
    const names = Array.from({ length: accounts }, (_, i) => name(i));
    for (const shards of [2, 7, 8, 100, 256]) {
      const counts = Array.from({ length: shards }, () => 0);
      for (const account of names) counts[shardOf(account, shards)]!++;
      const mean = accounts / shards;
      // Six standard deviations of a fair throw.
      const tolerance = 6 * Math.sqrt(mean);
      for (const [shard, count] of counts.entries()) {
        assert.ok(
          Math.abs(count - mean) < tolerance,
          `${naming}: ${count} of ${accounts} in shard ${shard} of ${shards}`,
        );
      }
    }
  }
});

test.run();
