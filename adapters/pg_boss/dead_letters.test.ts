import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeSignal } from "../../core/signal.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { startBoss } from "./boss.ts";
import { makeDeadLetters } from "./dead_letters.ts";
import { makePgBossQueue } from "./queue.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";

/** A queue where a job dies on its first failure. */
const open = async () => {
  const { execute, close } = await createMigratedDatabase();
  const boss = await startBoss({ execute, supervise: false, onError: () => {} });
  await boss.updateQueue(EVENTS_QUEUE, { retryLimit: 0 });
  const queue = makePgBossQueue({
    boss,
    executeRead: execute,
    queued: makeSignal(),
    bufferEventsMax: 1_000,
  });
  const enqueue = (eventId: string) =>
    Effect.runPromise(
      queue.enqueue({ events: [anEvent({ eventId })], duplicates: 0, conflicts: 0 }),
    );
  const take = () => Effect.runPromise(queue.take(1_000));
  const failAll = async () => {
    for (;;) {
      const jobs = await take();
      if (jobs.length === 0) return;
      const failed = jobs.map((job) => ({ _tag: "Failed", job, reason: "no good" }) as const);
      await Effect.runPromise(queue.settle(failed));
      await execute(`update ${QUEUE_SCHEMA}.job set start_after = now() where state = 'created'`);
    }
  };
  const stateOf = async (id: string) =>
    Option.map(await Effect.runPromise(queue.find(id)), ({ state, failure }) => [state, failure]);
  /** As pg-boss does some time after the end of a job. */
  const forgetEnded = () =>
    execute(`delete from ${QUEUE_SCHEMA}.job where name = '${EVENTS_QUEUE}' and state > 'active'`);
  return {
    letters: makeDeadLetters(boss, execute),
    queue,
    enqueue,
    take,
    failAll,
    stateOf,
    forgetEnded,
    close: async () => {
      await boss.stop({ graceful: false });
      await close();
    },
  };
};

const test = suite<{ opened: Awaited<ReturnType<typeof open>> }>("dead letters");

test.before.each(async (context) => {
  context.opened = await open();
});
test.after.each(({ opened }) => opened.close());

test("what died is listed with why, the oldest first, and its events are there", async ({
  opened,
}) => {
  const { letters, enqueue, failAll } = opened;
  assert.equal(await letters.list(10), []);
  const ids = [];
  for (const eventId of ["1", "2"]) {
    ids.push(await enqueue(eventId));
    await failAll();
  }
  const listed = await letters.list(10);
  assert.equal(
    listed.map(({ events, failure }) => [events, failure]),
    [
      [1, "no good"],
      [1, "no good"],
    ],
  );
  assert.is((await letters.list(1)).length, 1);
  assert.is((await letters.list(1))[0]?.id, listed[0]?.id);
  const shown = await letters.show(listed[1]?.id ?? "");
  assert.equal(
    shown?.batches?.map(({ events }) => events[0]?.eventId),
    ["2"],
  );
  assert.is(await letters.show(ids[0]?.replace(/...$/, "fff") ?? ""), undefined);
});

test("a dead job is told as dead for as long as its dead letter is kept", async ({ opened }) => {
  const id = await opened.enqueue("1");
  await opened.failAll();
  assert.equal(await opened.stateOf(id), Option.some(["dead", "no good"]));
  await opened.forgetEnded();
  assert.equal(await opened.stateOf(id), Option.some(["dead", "no good"]));
  const [letter] = await opened.letters.list(1);
  await opened.letters.drop(letter?.id ?? "");
  assert.equal(await opened.stateOf(id), Option.none());
});

for (const forgotten of [false, true]) {
  test(`a redriven job has its id and all its attempts again${forgotten ? ", also when its row is gone" : ""}`, async ({
    opened,
  }) => {
    const { letters, queue, enqueue, failAll, stateOf, take } = opened;
    const id = await enqueue("1");
    await failAll();
    if (forgotten) await opened.forgetEnded();
    const [letter] = await letters.list(1);
    assert.is(await letters.redrive(letter?.id ?? ""), true);
    assert.is(await letters.redrive(letter?.id ?? ""), false);
    assert.equal(await letters.list(10), []);
    assert.equal(Option.getOrThrow(await stateOf(id))[0], "queued");
    assert.is((await Effect.runPromise(queue.backlog)).events, 1);
    const [job] = await take();
    assert.equal([job?.id, job?.retries, job?.batch.events[0]?.eventId], [id, 0, "1"]);
    const counts = { appended: 1, duplicates: 0, conflicts: 0 };
    if (job === undefined) throw new Error("it was not handed out");
    await Effect.runPromise(queue.settle([{ _tag: "Completed", job, counts }]));
    assert.equal(Option.getOrThrow(await stateOf(id))[0], "completed");
  });
}

test("a job that dies again is a dead letter again", async ({ opened }) => {
  const { letters, enqueue, failAll } = opened;
  await enqueue("1");
  await failAll();
  const [first] = await letters.list(1);
  await letters.redrive(first?.id ?? "");
  await failAll();
  const [second] = await letters.list(2);
  assert.equal([second?.id, second?.failure], [first?.id, "no good"]);
  assert.is(await letters.drop(second?.id ?? ""), true);
  assert.equal(await letters.list(1), []);
});

test.run();
