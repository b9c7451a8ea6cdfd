import { gzipSync } from "node:zlib";

import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Access } from "../../core/access/access.ts";
import { ANYONE } from "../../core/access/principal.ts";
import { until } from "../../scripts/test/patience.ts";
import { type Api, batchOf, postBytes, problemIn, startApi, validEvent } from "./api.fixture.ts";
import { type Connection, openConnection } from "./server/connection.fixture.ts";

const test = suite("bodies that take long to decode");

/** Every key is a client. */
const BY_KEY: Access["Service"] = {
  known: (key) => ({ ...ANYONE, keyId: key }),
  remembers: () => true,
  authenticate: (key) => Effect.succeed({ ...ANYONE, keyId: key }),
};

const withKey = (key: string, body: string | Uint8Array, headers = {}): Buffer =>
  postBytes(body, { Authorization: `Bearer ${key}`, ...headers });

/** Sends requests, each on its own connection. */
const sendAll = (api: Api, requests: ReadonlyArray<Buffer>): Promise<Connection[]> =>
  Promise.all(
    requests.map(async (bytes) => {
      const connection = await openConnection(api.url);
      await connection.flush(bytes);
      return connection;
    }),
  );

/** A batch of so many valid events that are as slow to decode as possible. */
const slowBatch = (events: number): string => {
  const wide = JSON.stringify(validEvent({ metadata: { m: "@" } }));
  const numbers = `[${"1e1,".repeat(10_000)}1]`;
  const slow = Array.from({ length: events }, (_, i) =>
    wide.replace('"@"', numbers).replace(/"event_id":"[^"]*"/, `"event_id":"slow-${i}"`),
  );
  return `{"events":[${slow.join()}]}`;
};

test("one client's batch does not wait for another's earlier batches", async () => {
  const api = await startApi({ access: BY_KEY });
  const slow = slowBatch(20);
  const attack = await sendAll(
    api,
    Array.from({ length: 12 }, () => withKey("attacker", slow)),
  );
  const answers = attack.map((connection) => connection.answer());
  let answered = 0;
  for (const answer of answers) void answer.then(() => answered++);
  await Promise.race(answers);
  const [other] = await sendAll(api, [withKey("other", batchOf(validEvent()))]);
  assert.is((await other?.answer())?.status, 202);
  // In order of arrival it would be answered after all of them; each has at least twenty steps.
  assert.ok(answered <= 4, `${answered} of ${attack.length} were answered before it`);
  for (const answer of await Promise.all(answers)) assert.is(answer?.status, 202, answer?.body);
  for (const connection of [...attack, other]) connection?.reset();
  await api.close();
});

test("bodies of a quarter of a million events each are refused cheaply, and delay nobody", async () => {
  const api = await startApi({ access: BY_KEY });
  const bomb = gzipSync(`{"events":[${"1e1,".repeat(262_000)}1]}`);
  assert.ok(bomb.length < 1_500);
  const encoded = { "Content-Encoding": "gzip" };
  const requests = Array.from({ length: 60 }, () => withKey("attacker", bomb, encoded));
  const connections = await sendAll(api, [...requests, withKey("other", batchOf(validEvent()))]);
  const [other, ...attack] = connections.toReversed();
  assert.is((await other?.answer())?.status, 202);
  for (const connection of attack) {
    const answer = await connection.answer();
    // Either there was no capacity for it, or it was refused as too large.
    if (answer?.status !== 503) problemIn(answer, 400, "batch-too-large");
  }
  for (const connection of connections) connection.reset();
  assert.is(await api.drain(), 1);
  await api.close();
});

test("no work is done for a client that has left, and its memory is freed", async () => {
  const api = await startApi({ access: BY_KEY });
  const slow = slowBatch(20);
  const attack = await sendAll(
    api,
    Array.from({ length: 12 }, () => withKey("attacker", slow)),
  );
  await Promise.race(attack.map((connection) => connection.answer()));
  for (const connection of attack) connection.reset();
  await until(() => api.bodiesHeld() === 0);
  await until(() => api.answered.length === attack.length);
  const accepted = api.answered.filter(({ status }) => status === 202).length;
  assert.ok(accepted <= 4, `${accepted} of ${attack.length} were decoded to the end`);
  assert.equal(api.defects, []);
  await api.close();
});

test("a body that does not get its turns in time is refused with Retry-After", async () => {
  const api = await startApi({ access: BY_KEY, limits: { answerTimeoutMs: 60 } });
  const slow = slowBatch(20);
  const attack = await sendAll(
    api,
    Array.from({ length: 40 }, () => withKey("attacker", slow)),
  );
  const answers = await Promise.all(attack.map((connection) => connection.answer()));
  const refused = answers.filter((answer) => answer?.status === 503);
  assert.ok(refused.length > 0, "all were decoded in time");
  const problems = new Set(
    refused.map((answer) => (JSON.parse(answer?.body ?? "") as { type: string }).type),
  );
  assert.ok(problems.has("urn:tidemark:problem:turn-refused"), [...problems].join(" "));
  for (const answer of refused) assert.match(answer?.headers["retry-after"] ?? "", /^[1-9]\d*$/);
  for (const connection of attack) connection.reset();
  await until(() => api.bodiesHeld() === 0);
  await api.close();
});

test.run();
