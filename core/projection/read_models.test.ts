import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DIMENSIONS } from "./read_model.ts";
import { READ_MODELS } from "./read_models.ts";

const test = suite("READ_MODELS");

// The name becomes a table's and the dimensions its key, in SQL that is put together from them.
test("every read model has a name of its own that can be a table's", () => {
  const names = READ_MODELS.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z][a-z_]{0,62}$/);
});

test("every read model counts by the account and by dimensions that exist, each once", () => {
  for (const { name, dimensions } of READ_MODELS) {
    assert.is(dimensions[0], "account_id", name);
    assert.is(new Set(dimensions).size, dimensions.length, name);
    for (const dimension of dimensions) assert.type(DIMENSIONS[dimension], "function", name);
  }
});

test.run();
