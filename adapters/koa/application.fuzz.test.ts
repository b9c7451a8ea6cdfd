import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Api, batchOf, get, post, startApi, validEvent } from "./api.fixture.ts";
import type { Problem } from "./response/problem.ts";
import type { Answer } from "./server/connection.fixture.ts";

const test = suite<{ api: Api }>("a hostile client");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.is(Reflect.get({}, "polluted"), undefined);
  await api.close();
});

/** Either the whole batch is counted, or it is refused with a problem and nothing is stored. */
const allOrNothing = async (api: Api, body: string | Uint8Array): Promise<void> => {
  const before = await api.drain();
  const answer = await post(api, body);
  const stored = (await api.drain()) - before;
  assert.equal(api.defects, []);
  if (answer.status === 202) await isCounted(api, answer, stored);
  else isRefused(answer, stored);
};

const isCounted = async (api: Api, answer: Answer, stored: number): Promise<void> => {
  const { jobId, queued } = JSON.parse(answer.body) as { jobId: string; queued: number };
  const job = JSON.parse((await get(api, `/jobs/${jobId}`)).body) as {
    state: string;
    appended: number;
    duplicates: number;
    conflicts: number;
  };
  const { state, appended, duplicates, conflicts } = job;
  assert.is(state, "completed");
  assert.is(appended, stored);
  assert.is(appended + duplicates + conflicts, queued);
};

const isRefused = (answer: Answer, stored: number): void => {
  assert.is(stored, 0);
  assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.body}`);
  assert.is(answer.headers["content-type"], "application/problem+json");
  const { detail, errors } = JSON.parse(answer.body) as Problem;
  assert.ok(detail.length > 0);
  for (const { index, path, message } of errors ?? []) {
    assert.ok(index === null || Number.isInteger(index));
    assert.type(path, "string");
    assert.ok(message.length > 0);
  }
};

const json = fc.json({ maxDepth: 4 });

const batch = fc
  .array(
    fc.record(
      {
        event_id: fc.string({ unit: "binary", minLength: 1, maxLength: 4 }),
        account_id: fc.constantFrom("a", "b", "__proto__"),
        user_id: fc.string({ unit: "binary", maxLength: 4 }),
        type: fc.constantFrom("login", "custom"),
        metadata: fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 3 })),
      },
      { requiredKeys: ["event_id", "account_id", "user_id", "type"] },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((items) => batchOf(...items.map((item) => validEvent(item))));

/** Damage to a text: characters are lost, repeated or replaced by significant ones. */
const scar = fc.record({
  at: fc.nat(),
  length: fc.integer({ min: 0, max: 6 }),
  instead: fc.oneof(
    json,
    fc.constantFrom("", '"', "\\", "{", "}", "[", "]", ",", ":", "\\u0000", "\\ud800", "1e400"),
    fc.constantFrom('"__proto__":{"polluted":1},', '"constructor":{"prototype":{}},', "-", "0x"),
    fc.string({ unit: "binary", maxLength: 3 }),
  ),
});
type Scar = typeof scar extends fc.Arbitrary<infer T> ? T : never;

const scarred = (text: string, scars: ReadonlyArray<Scar>): string =>
  scars.reduce((now, { at, length, instead }) => {
    const start = at % (now.length + 1);
    return now.slice(0, start) + instead + now.slice(start + length);
  }, text);

/** A valid event with one field added or replaced by any JSON. */
const replaced = fc
  .tuple(
    fc.oneof(
      fc.constantFrom("event_id", "account_id", "user_id", "type", "timestamp", "metadata"),
      fc.string(),
    ),
    json,
  )
  .map(([field, value]) => {
    const text = batchOf(validEvent(), validEvent({ [field]: "PLACE" }));
    return text.replace('"PLACE"', () => value);
  });

const check = (title: string, bodies: fc.Arbitrary<string | Uint8Array>, runs: number): void => {
  test(title, async ({ api }) => {
    const property = fc.asyncProperty(bodies, (body) => allOrNothing(api, body));
    await fc.assert(property, { numRuns: runs });
  });
};

check("any JSON is refused or counted as a whole", json, 100);
check("any batch is refused or counted as a whole", batch, 100);
check("any bytes are refused", fc.uint8Array({ maxLength: 200 }), 100);
check("any value in any field of an event is refused or counted", replaced, 200);
check(
  "a damaged body is either refused or counted as a whole",
  fc.tuple(batch, fc.array(scar, { minLength: 1, maxLength: 3 })).map(([a, b]) => scarred(a, b)),
  300,
);

test.run();
