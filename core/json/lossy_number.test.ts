import { suite } from "uvu";
import * as assert from "uvu/assert";

import { identifierProblem } from "../event/identifier.ts";
import { LOSSY_NUMBER_MARK, lossyNumber } from "./lossy_number.ts";
import { countStorable } from "./storable.ts";

const test = suite("lossyNumber");

test("a marked string gives the number back as it was written", () => {
  assert.is(lossyNumber(`${LOSSY_NUMBER_MARK}-1.0E+400`), "-1.0E+400");
});

test("no other string is taken for a number", () => {
  for (const text of ["", "1e400", "number:1e400", "\u0000", ` ${LOSSY_NUMBER_MARK}1`]) {
    assert.is(lossyNumber(text), undefined);
  }
});

test("no string that could be stored is marked", () => {
  assert.type(countStorable(LOSSY_NUMBER_MARK, ""), "object");
  assert.ok(identifierProblem(LOSSY_NUMBER_MARK));
});

test.run();
