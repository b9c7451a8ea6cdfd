import { EventEmitter } from "node:events";

import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DatabaseReplaced } from "./errors.ts";
import type { SessionClient } from "./session_client.ts";
import { makeTimelines } from "./timelines.ts";

const test = suite("timelines");

/** A session on a server that reports its place, or fails to. */
class Session extends EventEmitter {
  asked = 0;
  brokenOff: Error | undefined;
  readonly #answer: { system: string; timeline: string } | Error;

  constructor(answer: { system: string; timeline: string } | Error) {
    super();
    this.#answer = answer;
  }

  async query(): Promise<{ rows: unknown[] }> {
    this.asked++;
    if (this.#answer instanceof Error) throw this.#answer;
    return { rows: [this.#answer] };
  }

  breakOff(error: Error): void {
    this.brokenOff = error;
    this.emit("end");
  }

  get client(): SessionClient {
    return this as unknown as SessionClient;
  }
}

const on = (timeline: string, system = "7"): Session => new Session({ system, timeline });

const failureOf = (promise: Promise<void>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("the first session on a promoted server breaks off those on its predecessor, and no more of these are admitted", async () => {
  const { enter, history } = makeTimelines();
  const [one, two, promoted, late] = [
    on("00000009"),
    on("00000009"),
    on("0000000A"),
    on("00000009"),
  ];
  for (const session of [one, two]) await enter(session.client);
  assert.is(history(), 0);
  await enter(promoted.client);
  assert.is(history(), 1);
  for (const session of [one, two]) {
    assert.instance(session.brokenOff, DatabaseReplaced);
  }
  assert.is(promoted.brokenOff, undefined);
  const refusal = await failureOf(enter(late.client));
  assert.instance(refusal, DatabaseReplaced);
  assert.match((refusal as Error).message, /on timeline 9, and .* on timeline 10$/);
  assert.is(await failureOf(enter(on("0000000A").client)), undefined);
});

test("a session that has ended is forgotten", async () => {
  const { enter } = makeTimelines();
  const gone = on("00000001");
  await enter(gone.client);
  gone.emit("end");
  await enter(on("00000002").client);
  assert.is(gone.brokenOff, undefined);
});

test("timelines of two clusters are not compared: the cluster of the current connection replaces the other", async () => {
  const { enter, history } = makeTimelines();
  const before = on("00000005", "7");
  await enter(before.client);
  assert.is(await failureOf(enter(on("00000001", "8").client)), undefined);
  assert.instance(before.brokenOff, DatabaseReplaced);
  assert.is(history(), 1);
});

test("a server that does not report its place is accepted and not asked again", async () => {
  const { enter } = makeTimelines();
  const denied = Object.assign(new DatabaseError("permission denied", 0, "error"), {
    code: "42501",
  });
  const [first, second] = [new Session(denied), new Session(denied)];
  await enter(first.client);
  await enter(second.client);
  assert.equal([first.asked, second.asked], [1, 0]);
});

test("a connection that breaks meanwhile, or a server that takes too long to answer, is not admitted", async () => {
  const { enter } = makeTimelines();
  const broken = new Error("Connection terminated unexpectedly");
  const late = Object.assign(new DatabaseError("canceling statement", 0, "error"), {
    code: "57014",
  });
  for (const error of [broken, late]) {
    assert.is(await failureOf(enter(new Session(error).client)), error);
  }
  assert.is(await failureOf(enter(on("00000001").client)), undefined);
});

test.run();
