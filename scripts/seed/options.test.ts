import { test } from "uvu";
import * as assert from "uvu/assert";

import { describeOptions, nameOf } from "./options.ts";

const OPTIONS = { events: 10, accounts: 1_000, users: 200, days: 7, whale: 0, seed: 1 };

test("options are described in words", () => {
  assert.is(
    describeOptions({ ...OPTIONS, events: 1_000_000, whale: 50 }),
    "1,000,000 events of 1,000 accounts with 200 users each and 50 events of a whale with 5 users, within 7 days",
  );
  assert.is(
    describeOptions({ ...OPTIONS, events: 0, whale: 5_000 }),
    "5,000 events of a whale with 500 users, within 7 days",
  );
});

test("runs with different options have different ids, so that they do not conflict", () => {
  const others = [{}, { events: 11 }, { seed: 2 }, { days: 3 }, { whale: 9 }];
  const names = others.map((other) => nameOf({ ...OPTIONS, ...other }));
  assert.is(new Set(names).size, names.length);
  assert.is(nameOf(OPTIONS), nameOf({ ...OPTIONS }));
});

test.run();
