import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { QueueFull } from "../../core/queue/queue.ts";
import { batchOf, get, post, postBytes, problemIn, startApi, validEvent } from "./api.fixture.ts";
import { openConnection } from "./server/connection.fixture.ts";

const test = suite("overload and timeouts");

const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

test("without capacity a batch is refused before its body is read, with Retry-After", async () => {
  let full = true;
  const api = await startApi({
    refusal: () => (full ? new QueueFull({ retryAfterSeconds: 7 }) : undefined),
  });
  const connection = await openConnection(api.url);
  const bytes = postBytes(batchOf(validEvent()));
  // The response arrives although only half of the body was sent.
  connection.write(bytes.subarray(0, bytes.length - 20));
  const answer = await connection.answer();
  problemIn(answer, 503, "queue-full");
  assert.is(answer?.headers["retry-after"], "7");
  connection.write(bytes.subarray(bytes.length - 20));
  full = false;
  connection.write(postBytes(batchOf(validEvent())));
  assert.is((await connection.answer())?.status, 202);
  assert.is(await api.drain(), 1);
  connection.reset();
  await api.close();
});

test("reads continue while no events are accepted", async () => {
  const api = await startApi({ refusal: () => new QueueFull({ retryAfterSeconds: 1 }) });
  assert.is((await get(api, "/accounts/acme/summary")).status, 200);
  await api.close();
});

test("a response that takes too long is 503, and its work is interrupted", async () => {
  let given = "up";
  const api = await startApi({
    limits: { answerTimeoutMs: 50 },
    queue: {
      find: () =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => (given = "interrupted"))),
    },
  });
  const answer = await get(api, "/jobs/01a20253-aa0c-79c1-b28a-b136a2df5001");
  problemIn(answer, 503, "deadline-exceeded");
  assert.is(answer.headers["retry-after"], "1");
  assert.is(given, "interrupted");
  await api.close();
});

test("the slow bodies of one client share a bounded amount of memory", async () => {
  const api = await startApi({ bodiesBytesMax: 200_000 });
  const large = postBytes(batchOf(validEvent({ metadata: { text: "x".repeat(30_000) } })));
  const slow = await Promise.all([1, 2, 3].map(() => openConnection(api.url)));
  for (const connection of slow) connection.write(large.subarray(0, large.length - 1));
  await soon();
  problemIn(
    await post(api, batchOf(validEvent({ metadata: { text: "x".repeat(30_000) } }))),
    429,
    "body-share-exceeded",
  );
  // A small one still fits.
  assert.is((await post(api, batchOf(validEvent()))).status, 202);
  for (const connection of slow) {
    connection.write(large.subarray(large.length - 1));
    assert.is((await connection.answer())?.status, 202);
    connection.reset();
  }
  const again = await post(api, batchOf(validEvent({ metadata: { text: "x".repeat(30_000) } })));
  assert.is(again.status, 202, "the memory was not freed");
  await api.close();
});

test("a truncated body frees its memory", async () => {
  const api = await startApi({ bodiesBytesMax: 80_000 });
  const large = postBytes(batchOf(validEvent({ metadata: { text: "x".repeat(30_000) } })));
  for (let i = 0; i < 3; i++) {
    const connection = await openConnection(api.url);
    connection.write(large.subarray(0, large.length - 1));
    await soon();
    connection.reset();
    await soon();
  }
  assert.is((await post(api, large.subarray(large.indexOf("{")))).status, 202);
  await api.close();
});

test("an address has at most as many connections as are left for others", async () => {
  const api = await startApi({ connectionsMax: 4 });
  const [first, second] = await Promise.all([openConnection(api.url), openConnection(api.url)]);
  const third = await openConnection(api.url);
  await third.closed();
  assert.equal(api.refused, ["address"]);
  first.write(postBytes(batchOf(validEvent())));
  assert.is((await first.answer())?.status, 202);
  first.reset();
  await soon();
  assert.is((await get(api, "/healthz")).status, 200);
  second.reset();
  await api.close();
});

test("behind proxies, which make all connections, one address may have all of them", async () => {
  const api = await startApi({ connectionsMax: 2, proxies: 1 });
  const open = await Promise.all([openConnection(api.url), openConnection(api.url)]);
  const third = await openConnection(api.url);
  await third.closed();
  assert.equal(api.refused, ["connection"]);
  for (const connection of open) {
    connection.write(postBytes(batchOf(validEvent())));
    assert.is((await connection.answer())?.status, 202);
    connection.reset();
  }
  await api.close();
});

test("a client that falls silent in mid-request is disconnected", async () => {
  const api = await startApi({ silenceTimeoutMs: 100 });
  const connection = await openConnection(api.url);
  connection.write(postBytes(batchOf(validEvent())).subarray(0, 120));
  const since = performance.now();
  await connection.closed();
  assert.ok(performance.now() - since < 5_000);
  await api.close();
});

test.run();
