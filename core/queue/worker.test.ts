import { Deferred, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { type Event, identityOf } from "../event/event.ts";
import { makeFakeLog } from "../log/event_log.fixture.ts";
import { EventLog } from "../log/event_log.ts";
import { POLL_MAX_MS } from "../poll.ts";
import { makeSignals, Signals } from "../signal.ts";
import { settled, simulate, until } from "../simulate.fixture.ts";
import { makeFakeQueue } from "./queue.fixture.ts";
import { Queue, type Acknowledgement } from "./queue.ts";
import { runWorker, FETCH_EVENTS_MAX } from "./worker.ts";

const test = suite("worker");
const LEASE_MS = 10_000;
const PAUSED = "Warn: Worker paused: the database is unavailable or refuses its statements";

/** A worker in the background, with a queue and a log that fail on demand. */
const startWorker = Effect.fnUntraced(function* () {
  const queue = makeFakeQueue(LEASE_MS);
  const log = makeFakeLog();
  const signals = makeSignals();
  const fiber = yield* runWorker.pipe(
    Effect.provideService(Queue, queue.service),
    Effect.provideService(EventLog, log.service),
    Effect.provideService(Signals, signals),
    Effect.forkDetach,
  );
  yield* settled;
  return { queue, log, signals, fiber };
});

let events = 0;
const newEvents = (count: number): Event[] =>
  Array.from({ length: count }, () => {
    events++;
    return anEvent({ accountId: `account-${events % 7}`, eventId: `${events}` });
  });
const identities = (of: ReadonlyArray<Event>): string[] => of.map(identityOf).toSorted();
const countsOf = (acknowledgement: Acknowledgement | undefined) =>
  acknowledgement?._tag === "Completed" ? acknowledgement.counts : acknowledgement?._tag;
const appended = (count: number) => ({ appended: count, duplicates: 0, conflicts: 0 });

test("queued events are appended to the log, and their job is completed with its counts", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      const [first, second] = [newEvents(5), newEvents(3)];
      const ids = [queue.add(first), queue.add(second)];
      yield* TestClock.adjust(POLL_MAX_MS);
      assert.equal(identities(log.events), identities([...first, ...second]));
      assert.equal(
        ids.map((id) => countsOf(queue.acknowledged.get(id))),
        [appended(5), appended(3)],
      );
      assert.equal(queue.fetches, [ids]);
      assert.is(queue.eventsMax, FETCH_EVENTS_MAX);
    }),
  ));

test("an enqueue in the same process wakes a worker, which wakes the projector", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, signals } = yield* startWorker();
      yield* TestClock.adjust("10 seconds");
      const id = queue.add(newEvents(1));
      yield* signals.queued.raise;
      yield* until("the job is acknowledged", () => queue.acknowledged.has(id));
      const woken = yield* Effect.forkChild(signals.appended.wait("1 hour"));
      yield* Fiber.join(woken);
    }),
  ));

test("a job is acknowledged only after its append, and the projector is woken before that", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log, signals } = yield* startWorker();
      const batch = newEvents(4);
      const seen: string[] = [];
      log.onAppend = () =>
        Effect.sync(() => void seen.push(`append, ${queue.acknowledged.size} acknowledged`));
      queue.onAcknowledge = () =>
        Effect.sync(() => void seen.push(`acknowledge, ${log.events.length} appended`));
      yield* Effect.forkChild(
        Effect.andThen(
          signals.appended.wait("1 hour"),
          Effect.sync(() => seen.push("projector")),
        ),
      );
      const id = queue.add(batch);
      yield* TestClock.adjust(POLL_MAX_MS);
      assert.ok(queue.acknowledged.has(id));
      assert.is(
        seen.filter((step) => step === "append, 0 acknowledged").length,
        log.appends.length,
      );
      assert.equal(seen.filter((step) => !step.startsWith("append")).toSorted(), [
        "acknowledge, 4 appended",
        "projector",
      ]);
    }),
  ));

test("a poison job fails alone, with its reason, and is logged", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      const [bad] = newEvents(1);
      log.poison = ({ eventId }) => eventId === bad?.eventId;
      const good = newEvents(2);
      const ids = [good, bad === undefined ? [] : [bad], []].map(queue.add);
      yield* TestClock.adjust(POLL_MAX_MS);
      const [first, second, third] = ids.map((id) => queue.acknowledged.get(id));
      assert.equal([first, third].map(countsOf), [appended(2), appended(0)]);
      assert.is(second?._tag === "Failed" ? second.reason : undefined, "it is poison");
      assert.equal(identities(log.events), identities(good));
      assert.equal(logged, ["Error: A job failed"]);
    }),
    logged,
  );
});

test("a short outage of the log costs no job an attempt", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      let failures = 2;
      log.unavailable = () => failures-- > 0;
      const batch = [anEvent({ eventId: "only" })];
      const id = queue.add(batch);
      yield* TestClock.adjust("1 second");
      assert.equal(countsOf(queue.acknowledged.get(id)), appended(1));
      assert.is(queue.fetches.length, 1);
      assert.is(log.appends.length, 3);
    }),
  ));

test("a short outage of one shard makes no duplicates on the others", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      let failures = 1;
      log.unavailable = () => failures-- > 0;
      const id = queue.add(newEvents(20));
      yield* TestClock.adjust("1 second");
      assert.ok(log.appends.length > 4, "it was not tried again");
      assert.equal(countsOf(queue.acknowledged.get(id)), appended(20));
    }),
  ));

test("a longer outage of the log makes the worker give up its jobs, which are redelivered", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      log.unavailable = () => true;
      const [first, second] = [newEvents(5), newEvents(3)];
      const ids = [queue.add(first), queue.add(second)];
      // The retries take at most about eight seconds; the lease expires after ten.
      yield* TestClock.adjust("9 seconds");
      assert.equal(queue.fetches, [ids]);
      assert.is(queue.acknowledged.size, 0);
      assert.ok(logged.includes(PAUSED));
      yield* TestClock.adjust("1 minute");
      assert.is(queue.acknowledged.size, 0);
      log.unavailable = () => false;
      yield* TestClock.adjust(LEASE_MS + 1_000);
      assert.equal(
        ids.map((id) => countsOf(queue.acknowledged.get(id))),
        [appended(5), appended(3)],
      );
      assert.equal(identities(log.events), identities([...first, ...second]));
    }),
    logged,
  );
});

test("jobs that the worker has given up do not delay the next ones", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      log.unavailable = () => true;
      queue.add(newEvents(5));
      yield* TestClock.adjust("8500 millis");
      log.unavailable = () => false;
      const id = queue.add(newEvents(1));
      yield* TestClock.adjust("1 second");
      assert.equal([...queue.acknowledged.keys()], [id]);
    }),
  ));

test("a failed acknowledgement is retried, without appending again", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      let failures = 3;
      queue.failAcknowledge = () => failures-- > 0;
      const id = queue.add([anEvent({ eventId: "only" })]);
      yield* TestClock.adjust("2 seconds");
      assert.equal(countsOf(queue.acknowledged.get(id)), appended(1));
      assert.is(log.appends.length, 1);
      assert.is(queue.fetches.length, 1);
    }),
  ));

test("a job that cannot be acknowledged is redelivered, and is not appended twice", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      queue.failAcknowledge = () => true;
      const batch = newEvents(4);
      const id = queue.add(batch);
      yield* TestClock.adjust("9 seconds");
      assert.is(queue.acknowledged.size, 0);
      queue.failAcknowledge = () => false;
      yield* TestClock.adjust(LEASE_MS);
      assert.is(queue.fetches.length, 2);
      assert.equal(identities(log.events), identities(batch));
      // The log cannot distinguish this job's first attempt from another sender's events.
      assert.equal(countsOf(queue.acknowledged.get(id)), {
        appended: 0,
        duplicates: 4,
        conflicts: 0,
      });
    }),
  ));

test("an outage of the queue is logged once when it starts and once when it ends", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { queue } = yield* startWorker();
      queue.failFetch = () => true;
      const id = queue.add(newEvents(1));
      yield* TestClock.adjust("1 minute");
      assert.is(queue.acknowledged.size, 0);
      assert.equal(logged, [PAUSED]);
      queue.failFetch = () => false;
      yield* TestClock.adjust("1 second");
      assert.ok(queue.acknowledged.has(id));
      yield* TestClock.adjust("20 seconds");
      assert.equal(logged.slice(1), ["Info: Worker resumed"]);
    }),
    logged,
  );
});

test("a worker has not resumed while the queue is empty and its jobs in flight still fail", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      log.unavailable = () => true;
      log.onAppend = () => Effect.sleep("20 seconds");
      const id = queue.add(newEvents(1));
      yield* TestClock.adjust("10 minutes");
      assert.ok(queue.fetches.length > 2, "nothing failed for good");
      assert.equal(logged, [PAUSED]);
      log.unavailable = () => false;
      yield* TestClock.adjust("5 minutes");
      assert.ok(queue.acknowledged.has(id));
      assert.equal(logged.slice(1), ["Info: Worker resumed"]);
    }),
    logged,
  );
});

test("a shutdown finishes and acknowledges the jobs in flight, and fetches no others", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log, fiber, signals } = yield* startWorker();
      const goOn = yield* Deferred.make<void>();
      log.onAppend = () => Deferred.await(goOn);
      const id = queue.add(newEvents(6));
      yield* signals.queued.raise;
      yield* until("an append has started", () => log.appends.length > 0);
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber));
      queue.add(newEvents(1));
      yield* settled;
      assert.is(stopping.pollUnsafe(), undefined, "it stopped with jobs in flight");
      yield* Deferred.succeed(goOn, undefined);
      yield* Fiber.join(stopping);
      assert.equal([...queue.acknowledged.keys()], [id]);
      assert.equal(countsOf(queue.acknowledged.get(id)), appended(6));
      assert.is(queue.fetches.length, 1);
    }),
  ));

test("a shutdown during an outage of the log takes no longer than a few retries", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log, fiber, signals } = yield* startWorker();
      log.unavailable = () => true;
      queue.add(newEvents(2));
      yield* signals.queued.raise;
      yield* until("an append has started", () => log.appends.length > 0);
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber));
      yield* TestClock.adjust("8 seconds");
      yield* Fiber.join(stopping);
      assert.is(queue.acknowledged.size, 0);
    }),
  ));

test("a shutdown of an idle worker is immediate", () =>
  simulate(
    Effect.gen(function* () {
      const { fiber } = yield* startWorker();
      yield* TestClock.adjust("10 seconds");
      yield* Fiber.interrupt(fiber);
    }),
  ));

test("whatever fails, each event is in the log once and each job is acknowledged in the end", () => {
  /** Fails as drawn, and then never again. */
  const faults = fc.array(fc.boolean(), { maxLength: 30 });
  const inTurn = (drawn: ReadonlyArray<boolean>) => {
    let calls = 0;
    return (): boolean => drawn[calls++] ?? false;
  };
  const pauses = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 });
  return fc.assert(
    fc.asyncProperty(faults, faults, faults, pauses, (onAppend, onAcknowledge, onFetch, at) =>
      simulate(
        Effect.gen(function* () {
          const { queue, log } = yield* startWorker();
          log.unavailable = inTurn(onAppend);
          queue.failAcknowledge = inTurn(onAcknowledge);
          queue.failFetch = inTurn(onFetch);
          const sent: Event[] = [];
          const ids: string[] = [];
          for (const [i, pause] of at.entries()) {
            const batch = newEvents(1 + (i % 5));
            sent.push(...batch);
            ids.push(queue.add(batch));
            yield* TestClock.adjust(pause);
          }
          // Jobs of a fetch that keeps failing are redelivered after their lease, at most once per fault.
          yield* TestClock.adjust("5 minutes");
          assert.equal([...queue.acknowledged.keys()].toSorted(), ids.toSorted());
          assert.equal(identities(log.events), identities(sent));
        }),
      ),
    ),
    { numRuns: 15 },
  );
});

test("during a long append the queue gets heartbeats for its jobs, and redelivers none", () =>
  simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      const gate = yield* Deferred.make<void>();
      log.onAppend = () => Deferred.await(gate);
      const id = queue.add(newEvents(3));
      yield* TestClock.adjust(POLL_MAX_MS);
      for (let i = 0; i < 20; i++) {
        yield* TestClock.adjust(3_000);
        yield* settled;
      }
      assert.equal(queue.fetches, [[id]]);
      assert.equal(queue.heartbeats.at(-1), [id]);
      yield* Deferred.succeed(gate, undefined);
      yield* settled;
      assert.equal(countsOf(queue.acknowledged.get(id)), appended(3));
      const kept = queue.heartbeats.length;
      yield* TestClock.adjust(60_000);
      assert.is(queue.heartbeats.length, kept, "acknowledged jobs need no heartbeat");
    }),
  ));

test("heartbeats are reported when they start to fail and when they work again", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { queue, log } = yield* startWorker();
      log.onAppend = () => Effect.never;
      queue.add(newEvents(3));
      const work = Effect.forEach(
        Array.from({ length: 36 }),
        () => Effect.andThen(TestClock.adjust(POLL_MAX_MS), settled),
        { discard: true },
      );
      queue.failHeartbeat = () => true;
      yield* work;
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: Heartbeats fail/);
      queue.failHeartbeat = () => false;
      yield* work;
      assert.equal(logged.slice(1), ["Info: Heartbeats work again"]);
    }),
    logged,
  );
});

test.run();
