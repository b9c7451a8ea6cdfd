import { Effect, Option, Tracer } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Batch, bytesIn } from "../event/batch.ts";
import { anEvent, eventStream } from "../event/event.fixture.ts";
import {
  type Counts,
  type Job,
  type JobStatus,
  PRIORITIES,
  type Queue,
  FETCH_BYTES_MAX,
} from "./queue.ts";

export interface OpenedQueue {
  readonly queue: Queue["Service"];
  /** How often a job may fail before it is dead. */
  readonly retriesMax: number;
  /** Makes every job in flight count as abandoned. */
  readonly lapseClaims: () => Promise<void>;
  /** Lets most of the time pass after which a job without a heartbeat counts as abandoned. */
  readonly passTime: () => Promise<void>;
  /** Makes the next attempt of every waiting job due. */
  readonly makeRetriesDue: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const TRACE = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

const NO_OTHERS = { duplicates: 0, conflicts: 0 };

/** What every adapter of `Queue` promises. `open` makes an empty queue for each test. */
export const queueConformance = (adapter: string, open: () => Promise<OpenedQueue>): void => {
  const test = suite(`Queue: ${adapter}`);
  let opened: OpenedQueue;

  test.before.each(async () => {
    opened = await open();
  });
  test.after.each(() => opened.close());

  const batchOf = (eventId: string): Batch => ({
    events: [anEvent({ eventId })],
    duplicates: 0,
    conflicts: 0,
  });
  const enqueue = (batch: Batch) => Effect.runPromise(opened.queue.enqueue(batch));
  const take = (eventsMax = 1_000) => Effect.runPromise(opened.queue.fetch(eventsMax));
  const takeAll = async (): Promise<ReadonlyArray<Job>> => {
    const taken: Job[] = [];
    for (;;) {
      const jobs = await take();
      if (jobs.length === 0) return taken;
      taken.push(...jobs);
    }
  };
  const counts = (batch: Batch): Counts => ({
    appended: batch.events.length,
    duplicates: batch.duplicates,
    conflicts: batch.conflicts,
  });
  const complete = (jobs: ReadonlyArray<Job>, as = counts) =>
    Effect.runPromise(
      opened.queue.acknowledge(
        jobs.map((job) => ({ _tag: "Completed", job, counts: as(job.batch) }) as const),
      ),
    );
  const fail = (jobs: ReadonlyArray<Job>, reason = "broken") =>
    Effect.runPromise(
      opened.queue.acknowledge(jobs.map((job) => ({ _tag: "Failed", job, reason }) as const)),
    );
  const find = async (id: string): Promise<JobStatus> => {
    const found = await Effect.runPromise(opened.queue.find(id));
    if (Option.isNone(found)) throw new Error(`job ${id} is not found`);
    return found.value;
  };

  test("an enqueued batch is delivered as a whole, and once", async () => {
    const batch: Batch = {
      events: [
        anEvent({ eventId: "1", metadata: '{"a":"\\"\\\\{},ü😀"}' }),
        anEvent({ eventId: "2", occurredAt: 1_700_000_000_001 }),
      ],
      duplicates: 2,
      conflicts: 1,
    };
    const id = await enqueue(batch);
    const jobs = await takeAll();
    const [job] = jobs;
    assert.equal(jobs, [{ id, batch, retries: 0, queuedAt: job?.queuedAt }]);
  });

  test("a job has the time and the span in which it was enqueued, also when it is redelivered", async () => {
    const before = Date.now();
    const [traced, plain] = await Promise.all([
      Effect.runPromise(
        Effect.withParentSpan(opened.queue.enqueue(batchOf("1")), Tracer.externalSpan(TRACE)),
      ),
      enqueue(batchOf("2")),
    ]);
    const after = Date.now();
    const check = (jobs: ReadonlyArray<Job>): void => {
      const trace = new Map(jobs.map((job) => [job.id, job.trace]));
      assert.equal(
        trace,
        new Map([
          [traced, TRACE],
          [plain, undefined],
        ]),
      );
      for (const { queuedAt } of jobs) assert.ok(before <= queuedAt && queuedAt <= after);
    };
    const jobs = await takeAll();
    check(jobs);
    await Effect.runPromise(
      opened.queue.acknowledge(jobs.map((job) => ({ _tag: "Failed", job, reason: "a test" }))),
    );
    await opened.makeRetriesDue();
    check(await takeAll());
  });

  test("any batches are delivered unchanged", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventStream({ accounts: ["x", "ä"], eventIds: 1_000 }, 5), { maxLength: 5 }),
        async (streams) => {
          const batches = streams.map((events): Batch => ({ events, duplicates: 1, conflicts: 2 }));
          const ids = await Promise.all(batches.map(enqueue));
          const jobs = await takeAll();
          const taken = new Map(jobs.map((job) => [job.id, job.batch]));
          assert.equal(
            ids.map((id) => taken.get(id)),
            batches,
          );
          await complete(jobs);
        },
      ),
      { numRuns: 15 },
    );
  });

  test("batches that are enqueued concurrently have different ids", async () => {
    const ids = await Promise.all(
      Array.from({ length: 300 }, (_, i) => enqueue(batchOf(String(i)))),
    );
    assert.is(new Set(ids).size, 300);
    const jobs = await takeAll();
    const eventIds = new Map(jobs.map((job) => [job.id, job.batch.events[0]?.eventId]));
    assert.is(jobs.length, 300);
    ids.forEach((id, i) => {
      assert.is(eventIds.get(id), String(i));
    });
  });

  test("concurrent workers never get the same job", async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => enqueue(batchOf(String(i)))));
    const taken = (await Promise.all([takeAll(), takeAll(), takeAll()])).flat();
    assert.is(taken.length, 60);
    assert.is(new Set(taken.map((job) => job.id)).size, 60);
  });

  test("the status of a job goes from queued through processing to completed", async () => {
    const id = await enqueue({ ...batchOf("1"), duplicates: 3 });
    const queued = await find(id);
    assert.equal([queued.state, queued.queued, queued.appended], ["queued", 4, 0]);
    assert.is(queued.endedAt, null);
    const jobs = await takeAll();
    assert.is((await find(id)).state, "processing");
    await complete(jobs);
    const done = await find(id);
    assert.equal([done.state, done.queued, done.retries], ["completed", 4, 0]);
    assert.equal([done.appended, done.duplicates, done.conflicts], [1, 3, 0]);
    assert.type(done.endedAt, "number");
    assert.is(done.failure, null);
  });

  test("each of several jobs that are acknowledged together keeps its own counts", async () => {
    const ids = await Promise.all(["1", "2", "3"].map((eventId) => enqueue(batchOf(eventId))));
    const outcomes: ReadonlyArray<Counts> = [
      { appended: 1, duplicates: 0, conflicts: 0 },
      { appended: 0, duplicates: 1, conflicts: 0 },
      { appended: 0, duplicates: 0, conflicts: 1 },
    ];
    const byEvent = new Map(outcomes.map((outcome, i) => [String(i + 1), outcome]));
    await complete(
      await takeAll(),
      (batch) => byEvent.get(batch.events[0]?.eventId ?? "") ?? counts(batch),
    );
    for (const [i, id] of ids.entries()) {
      const { appended, duplicates, conflicts } = await find(id);
      assert.equal({ appended, duplicates, conflicts }, outcomes[i]);
    }
  });

  test("a completed job is not redelivered", async () => {
    await enqueue(batchOf("1"));
    await complete(await takeAll());
    await opened.lapseClaims();
    assert.equal(await takeAll(), []);
  });

  test("a job whose worker died is redelivered", async () => {
    const id = await enqueue(batchOf("1"));
    assert.is((await takeAll()).length, 1);
    assert.equal(await takeAll(), []);
    await opened.lapseClaims();
    await opened.makeRetriesDue();
    const [again] = await takeAll();
    assert.is(again?.id, id);
    assert.is(again?.retries, 1);
  });

  test("a job with heartbeats is not redelivered, however long it takes", async () => {
    const [kept, silent] = [await enqueue(batchOf("1")), await enqueue(batchOf("2"))];
    const jobs = await takeAll();
    assert.is(jobs.length, 2);
    await opened.passTime();
    await Effect.runPromise(opened.queue.heartbeat(jobs.filter(({ id }) => id === kept)));
    await opened.passTime();
    await opened.makeRetriesDue();
    assert.equal(
      (await takeAll()).map(({ id }) => id),
      [silent],
    );
  });

  test("jobs of a lower priority are delivered after all jobs of a higher one, and in order", async () => {
    const priorities = ["lowest", "low", "normal", "lowest", "low", "normal"] as const;
    const ids: string[] = [];
    for (const [i, priority] of priorities.entries()) {
      ids.push(await Effect.runPromise(opened.queue.enqueue(batchOf(String(i)), priority)));
    }
    const taken: string[] = [];
    for (;;) {
      const jobs = await take(1);
      if (jobs.length === 0) break;
      taken.push(...jobs.map(({ id }) => id));
    }
    assert.equal(
      taken,
      [2, 5, 1, 4, 0, 3].map((i) => ids[i]),
    );
  });

  test("batches of several priorities that are enqueued concurrently keep their ids", async () => {
    const priorities = Array.from({ length: 40 }, (_, i) => PRIORITIES[i % 3] ?? "normal");
    const ids = await Promise.all(
      priorities.map((priority, i) =>
        Effect.runPromise(opened.queue.enqueue(batchOf(String(i)), priority)),
      ),
    );
    const byId = new Map(
      (await takeAll()).map((job) => [job.id, job.batch.events[0]?.eventId] as const),
    );
    assert.equal(
      ids.map((id) => byId.get(id)),
      priorities.map((_, i) => String(i)),
    );
  });

  test("a fetch of large batches is limited in bytes, also after many small ones, and every batch is delivered", async () => {
    const small = Array.from({ length: 40 }, (_, i) => batchOf(`small ${i}`));
    for (const batch of small) await enqueue(batch);
    assert.is((await takeAll()).length, small.length);
    const large = (name: string, bytes: number): Batch => ({
      events: Array.from({ length: Math.ceil(bytes / 32_000) }, (_, i) =>
        anEvent({ eventId: `${name} ${i}`, metadata: `"${"x".repeat(32_000 - 300)}"` }),
      ),
      ...NO_OTHERS,
    });
    const batches = [
      ...Array.from({ length: 12 }, (_, i) => large(`large ${i}`, 900_000)),
      large("largest", 2_000_000),
    ];
    for (const batch of batches) await enqueue(batch);
    const taken: Job[] = [];
    for (;;) {
      const jobs = await take(1_000_000);
      if (jobs.length === 0) break;
      const bytes = jobs.reduce((sum, { batch }) => sum + bytesIn(batch.events), 0);
      assert.ok(bytes <= FETCH_BYTES_MAX, `${bytes} bytes in a take`);
      taken.push(...jobs);
    }
    const names = (of: ReadonlyArray<Batch>) => new Set(of.map(({ events }) => events[0]?.eventId));
    assert.is(taken.length, batches.length);
    assert.equal(names(taken.map(({ batch }) => batch)), names(batches));
  });

  test("a fetch after others of the same kind is as large as allowed", async () => {
    const events = Array.from({ length: 300 }, (_, i) => anEvent({ eventId: String(i) }));
    for (let i = 0; i < 4; i++) await enqueue({ events, ...NO_OTHERS });
    await complete(await take(300));
    assert.is((await take(900)).length, 3);
  });

  test("the backlog is the jobs that wait for an attempt", async () => {
    const backlog = async () => {
      const { events, deadLetters } = await Effect.runPromise(opened.queue.backlog);
      return [events, deadLetters];
    };
    assert.equal(await Effect.runPromise(opened.queue.backlog), {
      events: 0,
      seconds: 0,
      deadLetters: 0,
    });
    await enqueue({ ...batchOf("1"), duplicates: 4 });
    await enqueue({ events: [anEvent({ eventId: "2" }), anEvent({ eventId: "3" })], ...NO_OTHERS });
    assert.equal(await backlog(), [3, 0]);
    assert.ok((await Effect.runPromise(opened.queue.backlog)).seconds < 60);
    const jobs = await takeAll();
    assert.equal(await backlog(), [0, 0]);
    const [first, ...others] = jobs;
    if (first === undefined) throw new Error("nothing was taken");
    await complete(others);
    for (let attempt = 0; attempt <= opened.retriesMax; attempt++) {
      await fail(attempt === 0 ? [first] : await takeAll());
      const dead = attempt === opened.retriesMax;
      assert.equal(await backlog(), dead ? [0, 1] : [first.batch.events.length, 0]);
      await opened.makeRetriesDue();
    }
  });

  test("a worker whose lease has expired cannot acknowledge the attempt of the next worker", async () => {
    const id = await enqueue(batchOf("1"));
    const stale = await takeAll();
    await opened.lapseClaims();
    await opened.makeRetriesDue();
    const current = await takeAll();
    assert.is(current.length, 1);
    await fail(stale);
    assert.is((await find(id)).state, "processing");
    await complete(current);
    assert.is((await find(id)).state, "completed");
  });

  test("a failed job is retried and then dead, with the reason", async () => {
    const id = await enqueue(batchOf("1"));
    for (let attempt = 0; attempt <= opened.retriesMax; attempt++) {
      const jobs = await takeAll();
      assert.equal(
        jobs.map((job) => [job.id, job.retries]),
        [[id, attempt]],
      );
      await fail(jobs, "the reason");
      const state = attempt < opened.retriesMax ? "retrying" : "dead";
      const status = await find(id);
      assert.equal([status.state, status.failure], [state, "the reason"]);
      await opened.makeRetriesDue();
    }
    assert.equal(await takeAll(), []);
  });

  test("a failed job does not affect those that were enqueued and acknowledged with it", async () => {
    const ids = await Promise.all(["1", "bad", "3"].map((eventId) => enqueue(batchOf(eventId))));
    const jobs = await takeAll();
    await Effect.runPromise(
      opened.queue.acknowledge(
        jobs.map((job) =>
          job.batch.events[0]?.eventId === "bad"
            ? { _tag: "Failed", job, reason: "bad" }
            : { _tag: "Completed", job, counts: counts(job.batch) },
        ),
      ),
    );
    const states = await Promise.all(ids.map(async (id) => (await find(id)).state));
    assert.is(states[0], "completed");
    assert.is.not(states[1], "completed");
    assert.is(states[2], "completed");
    await opened.makeRetriesDue();
    const again = await takeAll();
    assert.equal(
      again.map((job) => [job.id, job.batch]),
      [[ids[1], batchOf("bad")]],
    );
    await complete(again);
    assert.is((await find(ids[1] ?? "")).state, "completed");
  });

  test("an unknown job is not found, whatever its id looks like", async () => {
    const known = await enqueue(batchOf("known"));
    for (const id of [
      "",
      "nonsense",
      "00000000-0000-7000-8000-000000000001",
      "'; drop table",
      // Ids that adapters may use in storage, and their neighbours.
      `${known.slice(0, -3)}000`,
      `${known.slice(0, -3)}fff`,
      `${known} `,
      `${known}0`,
    ]) {
      assert.ok(Option.isNone(await Effect.runPromise(opened.queue.find(id))), id);
    }
  });

  test.run();
};
