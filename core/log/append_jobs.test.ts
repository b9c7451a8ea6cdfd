import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream } from "../event/event.fixture.ts";
import { type Event, identityOf } from "../event/event.ts";
import { shardOf } from "../event/shard.ts";
import type { Counts, Job, Acknowledgement } from "../queue/queue.ts";
import { appendJobs } from "./append_jobs.ts";
import { type FakeLog, makeFakeLog } from "./event_log.fixture.ts";
import { EventLog } from "./event_log.ts";

const test = suite("appendJobs");

const job = (id: string, events: ReadonlyArray<Event>): Job => ({
  id,
  // A copy: two jobs never share an object.
  batch: collapse(events.map((event) => ({ ...event }))),
  retries: 0,
  queuedAt: 0,
});
const run = (log: FakeLog, jobs: ReadonlyArray<Job>): Promise<ReadonlyArray<Acknowledgement>> =>
  Effect.runPromise(Effect.provideService(appendJobs(jobs), EventLog, log.service));
const completed = (of: Job, counts: Partial<Counts>): Acknowledgement => ({
  _tag: "Completed",
  job: of,
  counts: { appended: 0, duplicates: 0, conflicts: 0, ...counts },
});

/** Accounts on these shards of a log of four. */
const [acme, bolt, cord] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
  .map((accountId) => ({ accountId, shard: shardOf(accountId, 4) }))
  .filter(({ shard }, i, all) => all.findIndex((other) => other.shard === shard) === i)
  .map(({ accountId }) => accountId) as [string, string, string];
const e = (accountId: string, eventId: string, userId = "ada"): Event =>
  anEvent({ accountId, eventId, userId });

test("every event is appended to the log, and every job gets its counts", async () => {
  const log = makeFakeLog();
  const one = job("1", [e(acme, "1"), e(bolt, "1"), e(acme, "2")]);
  const two = job("2", [e(cord, "1")]);
  assert.equal(await run(log, [one, two]), [
    completed(one, { appended: 3 }),
    completed(two, { appended: 1 }),
  ]);
  assert.equal(log.events.map(identityOf).toSorted(), [
    `${acme}\n1`,
    `${acme}\n2`,
    `${bolt}\n1`,
    `${cord}\n1`,
  ]);
});

test("the events of all jobs for one shard are one append, in the order of the jobs", async () => {
  const log = makeFakeLog();
  await run(log, [
    job("1", [e(acme, "1"), e(bolt, "1"), e(acme, "2")]),
    job("2", [e(bolt, "2"), e(acme, "3")]),
  ]);
  const ids = log.appends.map(({ events }) => events.map(identityOf));
  assert.equal(
    ids.toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
    [[1, 2, 3].map((i) => `${acme}\n${i}`), [1, 2].map((i) => `${bolt}\n${i}`)].toSorted(
      ([a = ""], [b = ""]) => (a < b ? -1 : 1),
    ),
  );
});

test("no jobs and jobs without events append nothing", async () => {
  const log = makeFakeLog();
  const empty = job("1", []);
  assert.equal(await run(log, []), []);
  assert.equal(await run(log, [empty]), [completed(empty, {})]);
  assert.is(log.appends.length, 0);
});

test("events that the log contains already count as duplicates of the job that repeats them", async () => {
  const log = makeFakeLog();
  await run(log, [job("0", [e(acme, "1"), e(bolt, "1")])]);
  const one = job("1", [e(acme, "1"), e(acme, "2")]);
  const two = job("2", [e(bolt, "1", "bob"), e(acme, "3")]);
  const three = job("3", [e(cord, "1")]);
  assert.equal(await run(log, [one, two, three]), [
    completed(one, { appended: 1, duplicates: 1 }),
    completed(two, { appended: 1, conflicts: 1 }),
    completed(three, { appended: 1 }),
  ]);
});

test("an event in two jobs of one fetch is appended for the first and counted as a duplicate of the second", async () => {
  const log = makeFakeLog();
  const one = job("1", [e(acme, "1")]);
  const retry = job("2", [e(acme, "1"), e(acme, "2")]);
  const forged = job("3", [e(acme, "1", "bob"), e(bolt, "1")]);
  assert.equal(await run(log, [one, retry, forged]), [
    completed(one, { appended: 1 }),
    completed(retry, { appended: 1, duplicates: 1 }),
    completed(forged, { appended: 1, conflicts: 1 }),
  ]);
  assert.is(log.events.find(({ eventId }) => eventId === "1")?.userId, "ada");
});

test("repetitions within a batch stay in the counts of its job", async () => {
  const log = makeFakeLog();
  const one = job("1", [e(acme, "1"), e(acme, "1"), e(acme, "1", "bob"), e(acme, "2")]);
  assert.equal(await run(log, [one]), [
    completed(one, { appended: 2, duplicates: 1, conflicts: 1 }),
  ]);
});

test("one poison job among many fails alone, and the counts of the others do not change", async () => {
  for (let poisoned = 0; poisoned < 13; poisoned++) {
    const log = makeFakeLog();
    log.poison = ({ userId }) => userId === "poison";
    const jobs = Array.from({ length: 13 }, (_, i) =>
      job(`${i}`, [
        e(acme, `${i}`),
        e(bolt, `${i}`, i === poisoned ? "poison" : "ada"),
        e(cord, `${i}`),
      ]),
    );
    const acknowledgements = await run(log, jobs);
    assert.equal(
      acknowledgements,
      jobs.map((of, i) =>
        i === poisoned
          ? { _tag: "Failed", job: of, reason: "it is poison" }
          : completed(of, { appended: 3 }),
      ),
    );
    const inLog = new Set(log.events.map(identityOf));
    assert.is(inLog.size, log.events.length);
    for (const of of jobs) {
      if (of.id === `${poisoned}`) continue;
      for (const event of of.batch.events) assert.ok(inLog.has(identityOf(event)));
    }
  }
});

test("finding one poison job takes a logarithmic number of appends", async () => {
  const log = makeFakeLog(1);
  log.poison = ({ userId }) => userId === "poison";
  const jobs = Array.from({ length: 1_024 }, (_, i) =>
    job(`${i}`, [e(acme, `${i}`, i === 700 ? "poison" : "ada")]),
  );
  await run(log, jobs);
  // All jobs together, then both halves at each of ten levels.
  assert.is(log.appends.length, 21);
});

test("several poison jobs fail, and no others", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 24 }), async (poison) => {
      const log = makeFakeLog();
      log.poison = ({ userId }) => userId === "poison";
      const jobs = poison.map((bad, i) =>
        job(`${i}`, [e(acme, `${i}`), e(bolt, `${i}`, bad ? "poison" : "ada")]),
      );
      const acknowledgements = await run(log, jobs);
      assert.equal(
        acknowledgements.map((acknowledgement) => [acknowledgement.job.id, acknowledgement._tag]),
        poison.map((bad, i) => [`${i}`, bad ? "Failed" : "Completed"]),
      );
      for (const acknowledgement of acknowledgements) {
        if (acknowledgement._tag === "Completed") assert.is(acknowledgement.counts.appended, 2);
      }
    }),
    { numRuns: 60 },
  );
});

test("an event of a poison job is appended for the next job that contains it", async () => {
  const log = makeFakeLog();
  log.poison = ({ userId }) => userId === "poison";
  const bad = job("1", [e(acme, "1"), e(acme, "2", "poison")]);
  const good = job("2", [e(acme, "1")]);
  const acknowledgements = await run(log, [bad, good]);
  assert.equal(acknowledgements[1], completed(good, { appended: 1 }));
  assert.is(log.events.length, 1);
});

test("an unavailable log is reported as such, and fails no job", async () => {
  const log = makeFakeLog();
  log.unavailable = () => true;
  const outcome = Effect.flip(appendJobs([job("1", [e(acme, "1")]), job("2", [e(bolt, "1")])]));
  const error = await Effect.runPromise(Effect.provideService(outcome, EventLog, log.service));
  assert.is(error._tag, "LogUnavailable");
  assert.is(log.events.length, 0);
});

test("a log that becomes unavailable during the search for a poison job is reported as such", async () => {
  const log = makeFakeLog(1);
  log.poison = ({ userId }) => userId === "poison";
  log.unavailable = () => log.appends.length > 2;
  const jobs = ["ada", "poison", "bob"].map((user, i) => job(`${i}`, [e(acme, `${i}`, user)]));
  const outcome = Effect.flip(appendJobs(jobs));
  const error = await Effect.runPromise(Effect.provideService(outcome, EventLog, log.service));
  assert.is(error._tag, "LogUnavailable");
});

test("a job with an event of a busy shard fails for now, and the others do not wait", async () => {
  const log = makeFakeLog();
  log.busy = (shard) => shard === shardOf(bolt, 4);
  const [free, held, both] = [
    job("1", [e(acme, "1")]),
    job("2", [e(bolt, "1")]),
    job("3", [e(acme, "2"), e(bolt, "2")]),
  ];
  const settled = await run(log, [free, held, both]);
  assert.equal(
    settled.map(({ _tag }) => _tag),
    ["Completed", "Failed", "Failed"],
  );
  assert.equal(log.events.map(identityOf), [`${acme}\n1`, `${acme}\n2`]);
  log.busy = () => false;
  const again = await run(log, [held, both]);
  assert.equal(again, [
    completed(held, { appended: 1 }),
    // The log contains its first half already.
    completed(both, { appended: 1, duplicates: 1 }),
  ]);
});

test("an append is never interrupted because that of another shard failed", async () => {
  const log = makeFakeLog();
  log.unavailable = (shard) => shard === shardOf(acme, 4);
  log.onAppend = (shard) => (shard === shardOf(bolt, 4) ? Effect.yieldNow : Effect.void);
  const outcome = Effect.flip(appendJobs([job("1", [e(acme, "1"), e(bolt, "1")])]));
  await Effect.runPromise(Effect.provideService(outcome, EventLog, log.service));
  assert.equal(log.events.map(identityOf), [`${bolt}\n1`]);
});

test("after a retry because some shards were unavailable, the counts are as if all had been available", async () => {
  const log = makeFakeLog();
  await run(log, [job("0", [e(bolt, "old")])]);
  const one = job("1", [e(acme, "1"), e(bolt, "1"), e(bolt, "old")]);
  const two = job("2", [e(bolt, "1")]);
  log.unavailable = (shard) => shard === shardOf(acme, 4) && log.appends.length < 6;
  const acknowledgements = Effect.retry(appendJobs([one, two]), { times: 5 });
  assert.equal(
    await Effect.runPromise(Effect.provideService(acknowledgements, EventLog, log.service)),
    [completed(one, { appended: 2, duplicates: 1 }), completed(two, { duplicates: 1 })],
  );
});

test("any jobs append each identity once, keep the first event, and have counts that add up", async () => {
  const streams = fc.array(eventStream({ accounts: ["x", "y", "z"], eventIds: 8 }, 12), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(streams, { maxLength: 4 }), async (takes) => {
      const log = makeFakeLog(3);
      let ids = 0;
      for (const take of takes) {
        const jobs = take.map((stream) => job(`${ids++}`, stream));
        const acknowledgements = await run(log, jobs);
        assert.is(acknowledgements.length, jobs.length);
        for (const [i, acknowledgement] of acknowledgements.entries()) {
          if (acknowledgement._tag === "Failed") throw new Error(acknowledgement.reason);
          assert.is(acknowledgement.job, jobs[i]);
          const { appended, duplicates, conflicts } = acknowledgement.counts;
          assert.is(appended + duplicates + conflicts, take[i]?.length);
        }
      }
      const all = takes.flat(2);
      const byIdentity = (events: ReadonlyArray<Event>) =>
        events.toSorted((a, b) => (identityOf(a) < identityOf(b) ? -1 : 1));
      assert.equal(byIdentity(log.events), byIdentity(collapse(all).events));
    }),
    { numRuns: 100 },
  );
});

test.run();
