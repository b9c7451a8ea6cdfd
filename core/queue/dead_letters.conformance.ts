import { Effect, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { Job, Queue } from "./queue.ts";

export interface OpenedDeadLetters {
  readonly queue: Queue["Service"];
  readonly letters: DeadLetters["Service"];
  /** Makes the next attempt of every waiting job due. */
  readonly makeRetriesDue: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What every adapter of `DeadLetters` promises. `open` makes an empty queue for each test. */
export const deadLettersConformance = (
  adapter: string,
  open: () => Promise<OpenedDeadLetters>,
): void => {
  const test = suite(`DeadLetters: ${adapter}`);
  let opened: OpenedDeadLetters;

  test.before.each(async () => {
    opened = await open();
  });
  test.after.each(() => opened.close());

  const run = Effect.runPromise;
  const enqueue = (eventId: string): Promise<string> =>
    run(opened.queue.enqueue({ events: [anEvent({ eventId })], duplicates: 2, conflicts: 1 }));
  const take = (): Promise<ReadonlyArray<Job>> => run(opened.queue.fetch(1_000));
  /** Fails every job in the queue until it has no attempts left. */
  const kill = async (reason = "no good"): Promise<void> => {
    for (;;) {
      const jobs = await take();
      if (jobs.length === 0) return;
      await run(
        opened.queue.acknowledge(jobs.map((job) => ({ _tag: "Failed", job, reason }) as const)),
      );
      await opened.makeRetriesDue();
    }
  };
  /** The events of each letter, the oldest letter first. */
  const listed = async (): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
    const letters = await run(opened.letters.list(100));
    return Promise.all(
      letters.map(async ({ id }) => {
        const { jobs = [] } = Option.getOrThrow(await run(opened.letters.find(id)));
        return jobs.flatMap(({ batch }) => batch.events.map(({ eventId }) => eventId));
      }),
    );
  };

  test("dead letters are listed with their failure, oldest first, and contain what was accepted", async () => {
    assert.equal(await run(opened.letters.list(10)), []);
    const since = Date.now() - 60_000;
    const ids = [];
    for (const eventId of ["1", "2", "3"]) {
      ids.push(await enqueue(eventId));
      await kill(`the reason of ${eventId}`);
    }
    assert.equal(await listed(), [["1"], ["2"], ["3"]]);
    assert.is((await run(opened.letters.list(2))).length, 2);
    const [letter] = await run(opened.letters.list(1));
    assert.equal([letter?.events, letter?.failure], [1, "the reason of 1"]);
    assert.ok((letter?.queuedAt ?? 0) > since && (letter?.diedAt ?? 0) >= (letter?.queuedAt ?? 0));
    // Also by the id of its job, which its sender knows.
    const { jobs } = Option.getOrThrow(await run(opened.letters.find(ids[1] ?? "")));
    assert.equal(
      jobs?.map(({ id, batch }) => [
        id,
        batch.events[0]?.eventId,
        batch.duplicates,
        batch.conflicts,
      ]),
      [[ids[1], "2", 2, 1]],
    );
  });

  test("a redriven job has its id and all its attempts again, and is no longer a dead letter", async () => {
    const id = await enqueue("1");
    await kill();
    assert.is(await run(opened.letters.redrive(id)), true);
    assert.is(await run(opened.letters.redrive(id)), false);
    assert.equal(await listed(), []);
    assert.is(Option.getOrThrow(await run(opened.queue.find(id))).state, "queued");
    const [job] = await take();
    assert.equal([job?.id, job?.retries, job?.batch.events[0]?.eventId], [id, 0, "1"]);
    if (job === undefined) throw new Error("it was not delivered");
    const counts = { appended: 1, duplicates: 2, conflicts: 1 };
    await run(opened.queue.acknowledge([{ _tag: "Completed", job, counts }]));
    assert.is(Option.getOrThrow(await run(opened.queue.find(id))).state, "completed");
  });

  test("a job that dies again is a dead letter again", async () => {
    const id = await enqueue("1");
    await kill();
    await run(opened.letters.redrive(id));
    await kill("still no good");
    const letters = await run(opened.letters.list(2));
    assert.equal(
      letters.map(({ failure }) => failure),
      ["still no good"],
    );
  });

  test("a dropped letter is gone, and the others stay", async () => {
    const ids = [];
    for (const eventId of ["1", "2"]) {
      ids.push(await enqueue(eventId));
      await kill();
    }
    assert.is(await run(opened.letters.drop(ids[0] ?? "")), true);
    assert.is(await run(opened.letters.drop(ids[0] ?? "")), false);
    assert.equal(await listed(), [["2"]]);
  });

  test("jobs that are not dead or unknown are not dead letters, whatever their id looks like", async () => {
    const waiting = await enqueue("1");
    for (const id of [waiting, "", "nonsense", "00000000-0000-7000-8000-000000000001", "'; drop"]) {
      assert.ok(Option.isNone(await run(opened.letters.find(id))), id);
      assert.is(await run(opened.letters.redrive(id)), false);
      assert.is(await run(opened.letters.drop(id)), false);
    }
    assert.is((await take())[0]?.id, waiting);
  });

  test.run();
};
