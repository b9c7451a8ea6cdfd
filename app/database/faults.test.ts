import { Cause, Effect, Exit, identity } from "effect";
import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { failingAs } from "../../adapters/postgres/errors.ts";
import { QueueUnavailable } from "../../core/queue/queue.ts";
import type { FaultKind } from "../../core/store_failure.ts";
import { observePort } from "../observe_port.ts";
import { makeDatabaseFaults } from "./faults.ts";

const unavailable = failingAs(QueueUnavailable);

const sqlError = (code: string, message = "it says so"): DatabaseError =>
  Object.assign(new DatabaseError(message, 0, "error"), { code });

/** A port whose calls end as `outcome` says, with a clock of the test. */
const open = () => {
  const state = { now: 0, outcome: undefined as (() => Error) | undefined };
  const lines: string[] = [];
  const counted = new Map<string, number>();
  const faults = makeDatabaseFaults({
    meters: {
      counter:
        () =>
        (labels = {}) => {
          const name = Object.values(labels).join(" ");
          return (by = 1) => void counted.set(name, (counted.get(name) ?? 0) + by);
        },
    },
    // The lines are not run: the test reads them as text.
    log: (line) => {
      lines.push(line.toString());
    },
    now: () => state.now,
  });
  const call = unavailable(async () => {
    if (state.outcome !== undefined) throw state.outcome();
    return "done";
  });
  const observers = {
    faults,
    isTraced: false,
    permits: { withPermit: identity, waiting: () => 0 },
  };
  const port = observePort(
    { fetch: (_eventsMax: number) => call, backlog: call, shards: 8 },
    "queue",
    { fetch: "not measured", backlog: "not measured", shards: "a value" },
    observers,
  );
  return { state, lines, counted, faults, port };
};

const run = (effect: Effect.Effect<unknown, unknown>) => Effect.runPromise(Effect.exit(effect));

const test = suite("faults of the database");

test("faults have a kind, outages have none, and bugs are defects", async () => {
  const kinds: ReadonlyArray<readonly [Error, FaultKind | undefined]> = [
    [sqlError("42501"), "rights"],
    [sqlError("42P01"), "schema"],
    [sqlError("26000"), "session"],
    [sqlError("22021"), "data"],
    [sqlError("XX001"), "server"],
    [sqlError("25006"), undefined],
    [sqlError("57014"), undefined],
    [Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), undefined],
  ];
  for (const [error, kind] of kinds) {
    const failure = await Effect.runPromise(
      Effect.flip(
        unavailable(async () => {
          throw error;
        }),
      ),
    );
    assert.instance(failure, QueueUnavailable);
    assert.is(failure.fault, kind, error.message);
    assert.is(failure.cause, error);
  }
  const exit = await run(
    unavailable(async () => (undefined as unknown as { rows: string[] }).rows.length),
  );
  assert.ok(Exit.isFailure(exit) && Cause.hasDies(exit.cause), "a TypeError is not a fault");
});

test("a fault is logged when it begins and when it ends, and counted each time", async () => {
  const { state, lines, counted, faults, port } = open();
  assert.is(port.shards, 8);
  await run(port.fetch(1));
  state.outcome = () => sqlError("42501", "permission denied for table job");
  for (let i = 0; i < 100; i++) await run(port.fetch(1));
  assert.is(lines.length, 1, "it is logged once");
  assert.is(counted.get("queue.fetch rights"), 100);
  assert.equal(faults.ongoing(), ["queue.fetch: permission denied for table job"]);
  state.outcome = undefined;
  await run(port.fetch(1));
  assert.equal(faults.ongoing(), [], "it succeeds");
  assert.is(lines.length, 1, "it may begin anew with the next call");
  state.now += 10_000;
  await run(port.fetch(1));
  assert.is(lines.length, 2);
  await run(port.fetch(1));
  assert.is(lines.length, 2);
});

test("an operation that fails in two ways in turn has two faults", async () => {
  const { state, lines, counted, faults, port } = open();
  for (let i = 0; i < 100; i++) {
    state.outcome = () => sqlError(i % 2 === 0 ? "42501" : "42P01", `fault ${i % 2}`);
    await run(port.fetch(1));
  }
  assert.is(lines.length, 2);
  assert.is(counted.get("queue.fetch rights"), 50);
  assert.is(counted.get("queue.fetch schema"), 50);
  assert.equal(faults.ongoing(), ["queue.fetch: fault 0", "queue.fetch: fault 1"]);
  state.outcome = undefined;
  await run(port.fetch(1));
  assert.equal(faults.ongoing(), []);
  assert.is(lines.length, 2, "it may begin anew with the next call");
  state.now += 10_000;
  for (let i = 0; i < 10; i++) await run(port.fetch(1));
  assert.is(lines.length, 4);
});

test("an operation that fails for some requests only is logged once, and does not affect readiness", async () => {
  const { state, lines, faults, port } = open();
  for (let i = 0; i < 100; i++) {
    state.now += 50;
    state.outcome = i % 2 === 0 ? () => sqlError("XX001") : undefined;
    await run(port.fetch(1));
    assert.equal(faults.ongoing(), []);
  }
  assert.is(lines.length, 1);
  state.outcome = () => sqlError("22021");
  for (let i = 0; i < 10; i++) await run(port.backlog);
  assert.equal(faults.ongoing(), [], "data is of a request");
});

test("calls that fail together count as one failure", async () => {
  const { state, faults, port } = open();
  const shared = sqlError("XX000");
  state.outcome = () => shared;
  for (let i = 0; i < 10; i++) await run(port.fetch(1));
  assert.equal(faults.ongoing(), []);
});

test("outages are counted but are not faults, and a fault without calls is forgotten", async () => {
  const { state, lines, counted, faults, port } = open();
  state.outcome = () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  for (let i = 0; i < 10; i++) await run(port.backlog);
  assert.is(counted.get("queue.backlog away"), 10);
  assert.equal([lines, faults.ongoing()], [[], []]);
  state.outcome = () => sqlError("42P01", 'relation "job" does not exist');
  for (let i = 0; i < 3; i++) await run(port.backlog);
  assert.is(faults.ongoing().length, 1);
  state.now += 10_000;
  assert.equal(faults.ongoing(), []);
});

test.run();
