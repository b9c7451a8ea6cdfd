import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { identifier } from "./event.fixture.ts";
import { identityOf } from "./event.ts";

const test = suite("identityOf");

test("two events have the same identity exactly if their account and event id are the same", () => {
  const ids = fc.oneof(fc.constantFrom("a", "b", "ab", "a b", " ", "a:b", ",", "\\n"), identifier);
  fc.assert(
    fc.property(ids, ids, ids, ids, (accountId, eventId, otherAccount, otherEvent) => {
      const one = identityOf({ accountId, eventId });
      const other = identityOf({ accountId: otherAccount, eventId: otherEvent });
      assert.is(one === other, accountId === otherAccount && eventId === otherEvent);
      assert.is(identityOf({ accountId, eventId }), one);
    }),
    { numRuns: 1_000 },
  );
  assert.is.not(
    identityOf({ accountId: "a", eventId: "bc" }),
    identityOf({ accountId: "ab", eventId: "c" }),
  );
});

test.run();
