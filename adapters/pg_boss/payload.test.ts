import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { eventStream } from "../../core/event/event.fixture.ts";
import { decodePayload, type Payload, rowWith } from "./payload.ts";

const test = suite("payload");

const batch = fc.record(
  {
    events: eventStream({ accounts: ["a", "ä", "😀 b"], eventIds: 50 }, 20),
    duplicates: fc.nat({ max: 9 }),
    conflicts: fc.nat({ max: 9 }),
  },
  { noNullPrototype: true },
);

/** As the database gives it back. */
const through = (data: unknown): Payload => JSON.parse(JSON.stringify(data)) as Payload;

test("batches come out of a row as they went in, those without events or metadata, too", () => {
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 5 }), (batches) => {
      const row = rowWith("id", batches);
      assert.equal(decodePayload(through(row.data)), batches);
      assert.is(Number(row.singletonKey), batches.flatMap(({ events }) => events).length);
    }),
  );
});

test("a row whose columns do not fit its parts is not read", () => {
  fc.assert(
    fc.property(
      fc.array(batch, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("accountId", "type", "metadata", "fingerprint"),
      (batches, column) => {
        const payload = through(rowWith("id", batches).data);
        const columns = { ...payload.columns, [column]: `${payload.columns[column]}\n7` };
        const events = batches.flatMap((each) => each.events).length;
        // Of a row without events no column is looked at.
        if (events > 0) assert.is(decodePayload({ ...payload, columns }), undefined);
      },
    ),
  );
});

test.run();
