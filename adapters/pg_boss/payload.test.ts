import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { bytesIn } from "../../core/event/batch.ts";
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

test("batches come out of a row as they went in, those without events or metadata, too", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 5 }), async (batches) => {
      const row = await rowWith("id", batches);
      assert.equal(await decodePayload(through(row.data)), batches);
      const all = batches.flatMap(({ events }) => events);
      assert.is(row.singletonKey, `${all.length}:${bytesIn(all)}`);
    }),
  );
});

test("a row whose events are cut off, damaged, or not as many as its parts say is not read", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 3 }).filter(hasEvents),
      fc.constantFrom("cut off", "damaged", "more than told", "fewer than told"),
      async (batches, what) => {
        const payload = through((await rowWith("id", batches)).data);
        const { parts, events } = payload;
        const [first, ...others] = parts;
        assert.ok(first);
        const miscounted = (by: number) => [{ ...first, events: first.events + by }, ...others];
        const broken = {
          "cut off": { ...payload, events: events.slice(0, -8) },
          damaged: { ...payload, events: `AAAA${events.slice(4)}` },
          "more than told": { ...payload, parts: miscounted(-1) },
          "fewer than told": { ...payload, parts: miscounted(1) },
        };
        assert.is(await decodePayload(broken[what]), undefined);
      },
    ),
  );
});

const hasEvents = ([first]: ReadonlyArray<{ readonly events: ReadonlyArray<unknown> }>): boolean =>
  (first?.events.length ?? 0) > 1;

test.run();
