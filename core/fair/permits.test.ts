import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFairPermits, type PermitLimits } from "./permits.ts";

const test = suite("fair permits");

const LIMITS: PermitLimits = {
  permits: 3,
  perClientMax: 2,
  waitingPerClientMax: 4,
  waitingMax: 6,
};

test("a client gets its share immediately, and the last permit is left for another client", () => {
  const fair = makeFairPermits<string>(LIMITS);
  assert.equal(
    ["a1", "a2", "a3"].map((ticket) => fair.enter("a", ticket)),
    ["held", "held", "waits"],
  );
  assert.is(fair.enter("b", "b1"), "held");
  assert.is(fair.enter("c", "c1"), "waits");
});

test("the waiting client that holds the fewest permits is next, and its tickets keep their order", () => {
  const fair = makeFairPermits<string>(LIMITS);
  for (const ticket of ["a1", "a2", "a3", "a4"]) fair.enter("a", ticket);
  fair.enter("b", "b1");
  fair.enter("b", "b2");
  fair.enter("c", "c1");
  fair.enter("c", "c2");
  // a holds 2, b 1, c none.
  assert.is(fair.leave("a"), "c1");
  assert.is(fair.leave("a"), "a3");
  assert.is(fair.leave("b"), "b2");
  assert.is(fair.leave("c"), "c2");
});

test("beyond its own limit a client is refused for itself, and beyond that of all every client is", () => {
  const fair = makeFairPermits<number>(LIMITS);
  const entries = Array.from({ length: 7 }, (_, i) => fair.enter("a", i));
  assert.equal(entries, ["held", "held", "waits", "waits", "waits", "waits", "client"]);
  assert.equal(
    [7, 8, 9, 10].map((i) => fair.enter("b", i)),
    ["held", "waits", "waits", "all"],
  );
});

test("a withdrawn ticket gets nothing, and leaves no trace", () => {
  const fair = makeFairPermits<string>({ ...LIMITS, permits: 1, perClientMax: 1 });
  fair.enter("a", "a1");
  fair.enter("b", "b1");
  fair.enter("c", "c1");
  assert.is(fair.withdraw("b", "b1"), true);
  assert.is(fair.withdraw("b", "b1"), false);
  assert.is(fair.leave("a"), "c1");
  assert.is(fair.leave("c"), undefined);
  assert.equal([fair.held(), fair.waiting()], [0, 0]);
});

test("returning a permit that is not held is a defect", () => {
  assert.throws(() => makeFairPermits<string>(LIMITS).leave("a"), /does not hold/);
});

interface Ticket {
  readonly client: string;
  /** The number of the step in which it arrived. */
  readonly at: number;
}

/** The state of the permits, reconstructed from their results. */
const makeWatched = (limits: PermitLimits) => {
  const fair = makeFairPermits<Ticket>(limits);
  const held: Ticket[] = [];
  const waiting: Ticket[] = [];
  /** How often each other client was served while a client without permits waited. */
  const servedBefore = new Map<string, Map<string, number>>();
  const of = (tickets: ReadonlyArray<Ticket>, client: string): ReadonlyArray<Ticket> =>
    tickets.filter((ticket) => ticket.client === client);

  const serve = (ticket: Ticket): void => {
    const { client } = ticket;
    held.push(ticket);
    servedBefore.delete(client);
    for (const counts of servedBefore.values()) {
      counts.set(client, (counts.get(client) ?? 0) + 1);
      assert.is(counts.get(client), 1, "a client was served twice before one without permits");
    }
  };
  const follow = (): void => {
    for (const { client } of waiting) {
      if (of(held, client).length === 0 && !servedBefore.has(client)) {
        servedBefore.set(client, new Map());
      }
    }
    for (const client of servedBefore.keys()) {
      if (of(waiting, client).length === 0) servedBefore.delete(client);
    }
  };

  return {
    held,
    waiting,
    enter: (ticket: Ticket) => {
      const entry = fair.enter(ticket.client, ticket);
      if (entry === "held") serve(ticket);
      if (entry === "waits") waiting.push(ticket);
      if (entry === "client")
        assert.is(of(waiting, ticket.client).length, limits.waitingPerClientMax);
      if (entry === "all") assert.is(waiting.length, limits.waitingMax);
      follow();
    },
    leave: (place: number) => {
      const [left] = held.splice(place % held.length, 1);
      if (left === undefined) return;
      const next = fair.leave(left.client);
      if (next !== undefined) {
        assert.is(of(waiting, next.client)[0], next, "a client's tickets keep their order");
        waiting.splice(waiting.indexOf(next), 1);
        serve(next);
      }
      follow();
    },
    withdraw: (place: number) => {
      const [withdrawn] = waiting.splice(place % waiting.length, 1);
      if (withdrawn !== undefined) assert.ok(fair.withdraw(withdrawn.client, withdrawn));
      follow();
    },
    check: () => {
      assert.equal([fair.held(), fair.waiting()], [held.length, waiting.length]);
      assert.ok(held.length <= limits.permits);
      assert.ok(waiting.length <= limits.waitingMax);
      for (const { client } of held) assert.ok(of(held, client).length <= limits.perClientMax);
      const free = held.length < limits.permits;
      for (const { client } of waiting) {
        assert.ok(of(waiting, client).length <= limits.waitingPerClientMax);
        const may = of(held, client).length < limits.perClientMax;
        assert.not(free && may, "a permit is free while a client waits that may have it");
      }
    },
  };
};

const limits = fc
  .record({
    permits: fc.integer({ min: 1, max: 5 }),
    perClientMax: fc.integer({ min: 1, max: 5 }),
    waitingPerClientMax: fc.integer({ min: 1, max: 6 }),
    waitingMax: fc.integer({ min: 1, max: 12 }),
  })
  .map((drawn) => ({ ...drawn, perClientMax: Math.min(drawn.perClientMax, drawn.permits) }));

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ enter: fc.constantFrom("a", "b", "c", "d") }) },
    { weight: 2, arbitrary: fc.record({ leave: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ withdraw: fc.nat(20) }) },
  ),
  { maxLength: 200 },
);

test("whatever clients do, the limits hold, no wanted permit is idle, and a client without permits waits for at most one turn of each other client", () => {
  fc.assert(
    fc.property(limits, steps, (drawn, played) => {
      const watched = makeWatched(drawn);
      for (const [at, step] of played.entries()) {
        if ("enter" in step) watched.enter({ client: step.enter, at });
        else if ("leave" in step) watched.leave(step.leave);
        else watched.withdraw(step.withdraw);
        watched.check();
      }
    }),
    { numRuns: 500 },
  );
});

test.run();
