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

/** As the database returns it. */
const through = (data: unknown): Payload => JSON.parse(JSON.stringify(data)) as Payload;

test("batches survive the round trip through a row, also without events or metadata", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 5 }), async (batches) => {
      const row = await rowWith("id", batches);
      assert.equal(await decodePayload(through(row.data)), batches);
      const all = batches.flatMap(({ events }) => events);
      assert.is(row.singletonKey, `${all.length}:${bytesIn(all)}`);
    }),
  );
});

test("a row is unreadable if its events are truncated, damaged, or differ in number from its parts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 3 }).filter(hasEvents),
      fc.constantFrom("cut off", "damaged", "more than stated", "fewer than stated"),
      async (batches, what) => {
        const payload = through((await rowWith("id", batches)).data);
        const { parts, events } = payload;
        const [first, ...others] = parts;
        assert.ok(first);
        const miscounted = (by: number) => [{ ...first, events: first.events + by }, ...others];
        const broken = {
          "cut off": { ...payload, events: events.slice(0, -8) },
          damaged: { ...payload, events: `AAAA${events.slice(4)}` },
          "more than stated": { ...payload, parts: miscounted(-1) },
          "fewer than stated": { ...payload, parts: miscounted(1) },
        };
        assert.is(await decodePayload(broken[what]), undefined);
      },
    ),
  );
});

const hasEvents = ([first]: ReadonlyArray<{ readonly events: ReadonlyArray<unknown> }>): boolean =>
  (first?.events.length ?? 0) > 1;

test.run();
