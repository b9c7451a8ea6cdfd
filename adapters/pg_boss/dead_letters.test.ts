import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { deadLettersConformance } from "../../core/queue/dead_letters.conformance.ts";
import { makeDeadLetters } from "./dead_letters.ts";
import { newRowId, partId } from "./job_id.ts";
import { openQueue } from "./queue.fixture.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

/** A queue where a job dies on its first failure. */
const open = async () => {
  const opened = await openQueue();
  const { boss, execute, fetch, makeRetriesDue, queue } = opened;
  await boss.updateQueue(EVENTS_QUEUE, { retryLimit: 0 });
  const failAll = async () => {
    for (;;) {
      const jobs = await fetch();
      if (jobs.length === 0) return;
      const failed = jobs.map((job) => ({ _tag: "Failed", job, reason: "no good" }) as const);
      await Effect.runPromise(queue.acknowledge(failed));
      await makeRetriesDue();
    }
  };
  const stateOf = async (id: string) =>
    Option.map(await Effect.runPromise(queue.find(id)), ({ state, failure }) => [state, failure]);
  /** As pg-boss does some time after the end of a job. */
  const deleteEnded = () =>
    execute(`delete from ${QUEUE_SCHEMA}.job where name = '${EVENTS_QUEUE}' and state > 'active'`);
  const letters = makeDeadLetters(boss, execute, () => "away");
  return { ...opened, letters, failAll, stateOf, deleteEnded };
};

deadLettersConformance("pg-boss", async () => {
  const { letters, queue, makeRetriesDue, close } = await open();
  return { letters, queue, makeRetriesDue, close };
});

const test = suite<{ opened: Awaited<ReturnType<typeof open>> }>("dead letters");

test.before.each(async (context) => {
  context.opened = await open();
});
test.after.each(({ opened }) => opened.close());

const run = Effect.runPromise;

test("a dead job is reported as dead for as long as its dead letter exists", async ({ opened }) => {
  const id = await opened.enqueue();
  await opened.failAll();
  assert.equal(await opened.stateOf(id), Option.some(["dead", "no good"]));
  await opened.deleteEnded();
  assert.equal(await opened.stateOf(id), Option.some(["dead", "no good"]));
  await run(opened.letters.drop(id));
  assert.equal(await opened.stateOf(id), Option.none());
});

test("a job is redriven under its id even if its row was deleted", async ({ opened }) => {
  const id = await opened.enqueue();
  await opened.failAll();
  await opened.deleteEnded();
  assert.is(await run(opened.letters.redrive(id)), true);
  assert.equal(Option.getOrThrow(await opened.stateOf(id))[0], "queued");
  assert.is((await run(opened.queue.backlog)).events, 1);
});

test("a letter that this build cannot read is listed and found with its payload, and can be dropped", async ({
  opened,
}) => {
  const id = newRowId(Date.now());
  await opened.boss.insert(EVENTS_QUEUE, [{ id, data: { version: 99, parts: [] } }]);
  await opened.failAll();
  const [letter] = await run(opened.letters.list(1));
  assert.equal([letter?.id, letter?.events], [id, null]);
  const { jobs, payload } = Option.getOrThrow(await run(opened.letters.find(id)));
  assert.equal([jobs, payload], [undefined, { version: 99, parts: [] }]);
  assert.ok(Option.isNone(await run(opened.letters.find(partId(id, 1)))));
  assert.is(await run(opened.letters.drop(id)), true);
});

test.run();
