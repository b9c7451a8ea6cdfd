import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  asGivenBack,
  eventsSentIn,
  lossesInEvent,
  sentBody,
} from "../core/command/sent_body.fixture.ts";
import {
  canonicalExactly,
  type ExactJson,
  ExactObject,
  readExactly,
  writeExactly,
} from "../core/json/exact_json.fixture.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { completedJob } from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";

const test = suite<{ database: TestDatabase }>("the service gives events back as they were sent");

test.before(async (context) => {
  context.database = await createTestDatabase();
});
test.after(killServices);
test.after(async ({ database }) => {
  await database.drop();
});

const post = async (url: string, body: string): Promise<Response> =>
  fetch(`${url}/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });

const objectIn = (value: ExactJson | undefined): ExactObject => {
  assert.instance(value, ExactObject);
  return value as ExactObject;
};

const without = (event: ExactJson, field: string): ExactObject =>
  new ExactObject(objectIn(event).members.filter(([key]) => key !== field));

/** The events of an account, in the order of their canonical texts. */
const givenBack = async (url: string, account: string): Promise<ReadonlyArray<string>> => {
  const answer = await fetch(`${url}/accounts/${account}/events?limit=1000`);
  const page = objectIn(readExactly(await answer.text()));
  const events = page.all("events").flat();
  return events.map((event) => canonicalExactly(without(event, "recorded_at"))).toSorted();
};

/** The same body with another order of keys, other escapes and no white space. */
const respelled = (body: string): string => {
  const reversed = (value: ExactJson): ExactJson => {
    if (value instanceof ExactObject) {
      return new ExactObject(
        value.members.map(([key, inner]) => [key, reversed(inner)] as const).toReversed(),
      );
    }
    return Array.isArray(value) ? value.map(reversed) : value;
  };
  return writeExactly(reversed(readExactly(body)));
};

test("accepted events come back with every key and value, and another spelling of the same event is a duplicate", async ({
  database,
}) => {
  const service = startService({ DATABASE_URL: database.url });
  const url = await service.url();
  const seed = Date.now() % 1_000_000_007;
  const bodies = fc.sample(sentBody(Date.now(), 12), { numRuns: 40, seed });
  const outcomes = { accepted: 0, refused: 0 };
  for (const [i, text] of bodies.entries()) {
    const said = `body ${i} of the seed ${seed}: ${text}`;
    const account = `acme-${i}`;
    const body = text.replaceAll('"acme"', `"${account}"`);
    const events = eventsSentIn(body);
    const answer = await post(url, body);
    if (events.flatMap(lossesInEvent).length > 0) {
      assert.is(answer.status, 400, said);
      outcomes.refused++;
      continue;
    }
    const { jobId } = (await answer.json()) as { jobId: string };
    assert.is(answer.status, 202, said);
    outcomes.accepted++;
    await completedJob(url, jobId);
    const sent = events.map((event) => canonicalExactly(asGivenBack(event))).toSorted();
    let back: ReadonlyArray<string> = [];
    await until(async () => {
      back = await givenBack(url, account);
      return back.length === sent.length;
    }, `its events are not listed: ${said}`);
    assert.equal(back, sent, said);

    const again = await post(url, respelled(body));
    const repeated = (await again.json()) as { jobId: string };
    const { appended, duplicates } = await completedJob(url, repeated.jobId);
    assert.equal([appended, duplicates], [0, sent.length], said);
  }
  assert.ok(outcomes.accepted > 2 && outcomes.refused > 2, `${JSON.stringify(outcomes)}, ${seed}`);
  assert.is(await service.stop(), 0);
});

test.run();
