import { Cause, Effect, Exit } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { invariant, InvariantViolated, present } from "./invariant.ts";

const test = suite("invariant");

const isViolation =
  (message: string) =>
  (error: unknown): boolean =>
    error instanceof InvariantViolated && error.message === message;

test("a condition that holds passes, and one that does not throws its message", () => {
  invariant(true, "never thrown");
  assert.throws(() => invariant(false, "3 of 2"), isViolation("3 of 2"));
});

test("a value that is present is returned, falsy ones included", () => {
  for (const value of [0, "", false]) assert.is(present(value, "never thrown"), value);
});

test("null and undefined are absent", () => {
  for (const value of [null, undefined]) {
    assert.throws(() => present(value, "no row"), isViolation("no row"));
  }
});

test("a violation inside an effect is a defect, not a failure that a caller recovers from", () => {
  const effect = Effect.sync(() => invariant(false, "broken"));
  const exit = Effect.runSyncExit(effect.pipe(Effect.catch(() => Effect.void)));
  assert.ok(Exit.isFailure(exit));
  assert.ok(Cause.hasDies(exit.cause));
});

test.run();
