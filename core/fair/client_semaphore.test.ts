import { Deferred, Effect, Exit, Fiber } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Client } from "../access/principal.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { type ClientSemaphore, makeClientSemaphore } from "./client_semaphore.ts";

const test = suite("a semaphore of clients");

const LIMITS = { permits: 2, perClientMax: 1, waitingPerClientMax: 2, waitingMax: 3 };

/** Starts work of a client that runs until the test ends it. */
const begin = Effect.fnUntraced(function* (semaphore: ClientSemaphore, client: string) {
  const end = Deferred.makeUnsafe<void>();
  const work = { started: false, end: Deferred.succeed(end, undefined) };
  const run = Effect.andThen(
    Effect.sync(() => (work.started = true)),
    Deferred.await(end),
  );
  const fiber = yield* Effect.forkDetach(
    Effect.provideService(semaphore.withPermit(run), Client, client),
  );
  yield* settled;
  return Object.assign(work, { fiber });
});

test("work waits for a permit of its client, and starts when one is returned", () =>
  simulate(
    Effect.gen(function* () {
      const semaphore = makeClientSemaphore(LIMITS);
      const first = yield* begin(semaphore, "a");
      const second = yield* begin(semaphore, "a");
      const other = yield* begin(semaphore, "b");
      assert.equal([first.started, second.started, other.started], [true, false, true]);
      assert.equal([semaphore.held(), semaphore.waiting()], [2, 1]);
      yield* first.end;
      yield* settled;
      assert.is(second.started, true);
      yield* second.end;
      yield* other.end;
      yield* settled;
      assert.equal([semaphore.held(), semaphore.waiting()], [0, 0]);
    }),
  ));

test("beyond the limit it is refused immediately, with the reason", () =>
  simulate(
    Effect.gen(function* () {
      const semaphore = makeClientSemaphore(LIMITS);
      for (const client of ["a", "a", "a"]) yield* begin(semaphore, client);
      const refused = yield* begin(semaphore, "a");
      assert.match(JSON.stringify(yield* Fiber.await(refused.fiber)), "TooManyReads");
      for (const client of ["b", "b"]) yield* begin(semaphore, client);
      const full = yield* begin(semaphore, "b");
      assert.match(JSON.stringify(yield* Fiber.await(full.fiber)), "ReadsFull");
    }),
  ));

test("interrupted work gives back its permit or its place", () =>
  simulate(
    Effect.gen(function* () {
      const semaphore = makeClientSemaphore(LIMITS);
      const running = yield* begin(semaphore, "a");
      const waiting = yield* begin(semaphore, "a");
      const last = yield* begin(semaphore, "a");
      yield* Fiber.interrupt(waiting.fiber);
      assert.equal([semaphore.held(), semaphore.waiting()], [1, 1]);
      yield* Fiber.interrupt(running.fiber);
      yield* settled;
      assert.equal([waiting.started, last.started], [false, true]);
      yield* Fiber.interrupt(last.fiber);
      assert.equal([semaphore.held(), semaphore.waiting()], [0, 0]);
    }),
  ));

test("failed work gives back its permit", () =>
  simulate(
    Effect.gen(function* () {
      const semaphore = makeClientSemaphore(LIMITS);
      const exit = yield* Effect.exit(semaphore.withPermit(Effect.fail("no")));
      assert.ok(Exit.isFailure(exit));
      assert.is(semaphore.held(), 0);
    }),
  ));

test.run();
