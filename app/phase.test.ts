import { Cause, Deferred, Effect, Exit, Option } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Ended, runLoop } from "./phase.ts";

const test = suite("runLoop");

/** Runs a loop for a moment; returns how it ended the service, if it did, and what it did. */
const run = (loop: (calls: string[]) => Effect.Effect<never>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const calls: string[] = [];
      const ended = yield* Deferred.make<never, Error>();
      const started = Effect.andThen(runLoop(loop(calls)), Effect.sleep("5 millis"));
      yield* Effect.provideService(Effect.scoped(started), Ended, ended);
      const isDone = yield* Deferred.isDone(ended);
      const exit = isDone ? Option.some(yield* Effect.exit(Deferred.await(ended))) : Option.none();
      return { exit, calls };
    }),
  );

test("a loop that dies ends the service with its defect", async () => {
  const { exit } = await run(() => Effect.die(new Error("a bug")));
  assert.ok(Option.isSome(exit) && Exit.isFailure(exit.value));
  assert.match(Cause.pretty(exit.value.cause), "a bug");
});

test("a loop is interrupted with its scope, finishes what is in flight, and does not end the service", async () => {
  const { exit, calls } = await run((steps) =>
    Effect.forever(
      Effect.uninterruptible(
        Effect.gen(function* () {
          steps.push("started");
          yield* Effect.sleep("20 millis");
          steps.push("finished");
        }),
      ),
    ),
  );
  assert.equal(calls, ["started", "finished"]);
  assert.ok(Option.isNone(exit));
});

test.run();
