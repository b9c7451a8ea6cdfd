import { test } from "uvu";
import * as assert from "uvu/assert";

import { readArguments, UsageError } from "../../adapters/terminal/command_line.ts";
import { describeOptions, nameOf, OPTIONS, readOptions } from "./options.ts";

const parsed = (...argv: string[]) => {
  const { values, positionals } = readArguments(argv, OPTIONS);
  return readOptions(values, positionals);
};

test("without arguments it is a million events", () => {
  assert.equal(parsed(), {
    events: 1_000_000,
    accounts: 1_000,
    users: 200,
    days: 7,
    whale: 0,
    seed: 1,
  });
});

test("numbers may be grouped", () => {
  const { events, whale } = parsed("100_000_000", "--whale", "2_000");
  assert.equal([events, whale], [100_000_000, 2_000]);
});

test("what cannot be is refused", () => {
  for (const argv of [
    ["0"],
    ["100000001"],
    ["1.5"],
    ["many"],
    ["1", "2"],
    ["--accounts", "0"],
    ["--users=-1"],
    ["--days", "3651"],
    ["--seed", "x"],
    ["--nonsense"],
  ]) {
    assert.throws(
      () => parsed(...argv),
      (error: unknown) => error instanceof UsageError,
      argv.join(" "),
    );
  }
});

test("a whale may be alone", () => {
  assert.is(
    describeOptions(parsed("0", "--whale", "5000")),
    "5,000 of a whale with 500 users, within 7 days",
  );
});

test("runs with other options have other ids, so that none is in conflict with another", () => {
  const names = [[], ["10"], ["--seed", "2"], ["--days", "3"], ["--whale", "9"]].map((argv) =>
    nameOf(parsed(...argv)),
  );
  assert.is(new Set(names).size, names.length);
  assert.is(nameOf(parsed("10")), nameOf(parsed("10")));
});

test.run();
