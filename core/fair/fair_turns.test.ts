import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFairTurns, type Ticket, type TurnLimits } from "./fair_turns.ts";

const test = suite("fair turns");

const LIMITS: TurnLimits = {
  waitingPerClientMax: 1_000,
  waitingMax: 10_000,
  waitMaxMs: 5_000,
};

/** Work of a client: the durations of its steps, in milliseconds. */
interface Task {
  readonly steps: number[];
}

/** The arrival of work for a client at a time. */
interface Arrival {
  readonly at: number;
  readonly client: string;
  readonly steps: ReadonlyArray<number>;
}

/** A finished step: its client, its duration, and the clients with work when it started. */
interface Step {
  readonly client: string;
  readonly ms: number;
  readonly busy: ReadonlySet<string>;
}

/** Runs all work that arrives, one step after the other, on a clock that advances by their durations. */
const run = (arrivals: ReadonlyArray<Arrival>): ReadonlyArray<Step> => {
  const turns = makeFairTurns<Task>(LIMITS);
  const open = new Map<string, number>();
  const left = arrivals.toSorted((a, b) => a.at - b.at);
  const steps: Step[] = [];
  let now = 0;
  for (;;) {
    while (left[0] !== undefined && (left[0].at <= now || turns.waiting() === 0)) {
      const [arrival] = left.splice(0, 1);
      if (arrival === undefined) break;
      now = Math.max(now, arrival.at);
      open.set(arrival.client, (open.get(arrival.client) ?? 0) + 1);
      assert.ok(turns.take(arrival.client, { steps: [...arrival.steps] }, now));
    }
    const ticket = turns.next();
    if (ticket === undefined) return steps;
    const { client, task } = ticket;
    const ms = task.steps.shift() ?? 0;
    const busy = new Set([...open].filter(([, count]) => count > 0).map(([name]) => name));
    steps.push({ client, ms, busy });
    turns.charge(client, ms);
    now += ms;
    if (task.steps.length > 0) continue;
    turns.leave(ticket);
    open.set(client, (open.get(client) ?? 0) - 1);
  }
};

const stepMs = fc.double({ min: 0.01, max: 2, noNaN: true });
const arrivals: fc.Arbitrary<ReadonlyArray<Arrival>> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 100, noNaN: true }),
    client: fc.constantFrom("a", "b", "c", "d", "e"),
    steps: fc.array(stepMs, { minLength: 1, maxLength: 40 }),
  }),
  { minLength: 1, maxLength: 40 },
);

const longest = (steps: ReadonlyArray<Step>, client: string): number =>
  Math.max(0, ...steps.filter((step) => step.client === client).map(({ ms }) => ms));

test("while two clients have work, their times never differ by more than one step of each", () => {
  fc.assert(
    fc.property(arrivals, (drawn) => {
      const steps = run(drawn);
      for (const [one, other] of [
        ["a", "b"],
        ["b", "c"],
        ["d", "e"],
      ] as const) {
        const allowed = longest(steps, one) + longest(steps, other) + 0.1;
        // The largest difference within any period in which both have work.
        let [difference, least, most] = [0, 0, 0];
        for (const { client, ms, busy } of steps) {
          if (!busy.has(one) || !busy.has(other)) {
            [difference, least, most] = [0, 0, 0];
            continue;
          }
          difference += client === one ? ms : client === other ? -ms : 0;
          [least, most] = [Math.min(least, difference), Math.max(most, difference)];
          assert.ok(most - least <= allowed, `${most - least} ms, ${allowed} allowed`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a client that arrives with work waits for at most one step of each of the others, whatever they have used or sent", () => {
  fc.assert(
    fc.property(arrivals, fc.double({ min: 0, max: 100, noNaN: true }), stepMs, (drawn, at, ms) => {
      const steps = run([...drawn, { at, client: "new", steps: [ms] }]);
      const turn = steps.findIndex(({ client }) => client === "new");
      const since = steps.findIndex(({ busy }) => busy.has("new"));
      const before = steps.slice(since, turn).map(({ client }) => client);
      assert.is(new Set(before).size, before.length, before.join(" "));
    }),
    { numRuns: 1_000 },
  );
});

test("no turn is lost while a client has work, and each client's tasks keep their order", () => {
  fc.assert(
    fc.property(arrivals, (drawn) => {
      const steps = run(drawn);
      assert.is(
        steps.length,
        drawn.reduce((sum, { steps: own }) => sum + own.length, 0),
      );
      for (const client of ["a", "b", "c", "d", "e"]) {
        assert.equal(
          steps.filter((step) => step.client === client).map(({ ms }) => ms),
          drawn
            .filter((arrival) => arrival.client === client)
            .toSorted((a, b) => a.at - b.at)
            .flatMap(({ steps: own }) => own),
        );
      }
    }),
    { numRuns: 300 },
  );
});

test("a client pays nothing for time that no other client wanted", () => {
  const turns = makeFairTurns<string>(LIMITS);
  for (let i = 0; i < 1_000; i++) turns.charge("alone", 1);
  turns.take("alone", "x", 0);
  turns.take("new", "y", 0);
  const order = [1, 2, 3, 4].map(() => {
    const ticket = turns.next();
    turns.charge(ticket?.client ?? "", 1);
    return ticket?.client;
  });
  assert.ok(order.filter((client) => client === "alone").length >= 1, order.join(" "));
});

test("an idle client saves up no time", () => {
  const turns = makeFairTurns<string>(LIMITS);
  turns.charge("patient", 1);
  turns.take("busy", "x", 0);
  for (let i = 0; i < 1_000; i++) turns.charge(turns.next()?.client ?? "", 1);
  turns.take("patient", "y", 0);
  const order = Array.from({ length: 100 }, () => {
    const { client } = turns.next() as Ticket<string>;
    turns.charge(client, 1);
    return client;
  });
  const own = order.filter((client) => client === "patient").length;
  assert.ok(own >= 49 && own <= 51, order.join(" "));
});

test("the limits on waiting tasks hold, for one client and for all", () => {
  const turns = makeFairTurns<string>({ ...LIMITS, waitingPerClientMax: 2, waitingMax: 3 });
  const take = (client: string) => turns.take(client, "", 0);
  assert.ok(take("a"));
  const second = take("a");
  assert.ok(second);
  assert.is(take("a"), undefined);
  assert.ok(take("b"));
  assert.is(take("c"), undefined);
  // A task that leaves makes room, once.
  turns.leave(second);
  turns.leave(second);
  assert.is(turns.waiting(), 2);
  assert.ok(take("c"));
  assert.is(take("c"), undefined);
});

test("a task that left gets no turn", () => {
  const turns = makeFairTurns<string>(LIMITS);
  const first = turns.take("a", "first", 0);
  turns.take("a", "second", 0);
  assert.ok(first);
  turns.leave(first);
  assert.is(turns.next()?.task, "second");
});

test("tasks that have waited too long are dropped, started or not, and no others", () => {
  const turns = makeFairTurns<string>(LIMITS);
  for (const [client, task, since] of [
    ["a", "a0", 0],
    ["a", "a1", 1],
    ["b", "b2", 2],
    ["a", "a3", 3],
  ] as const) {
    turns.take(client, task, since);
  }
  turns.charge("a", 1);
  assert.equal(turns.dropLate(4_999), []);
  assert.equal(
    turns.dropLate(5_002).map(({ task }) => task),
    ["a0", "a1", "b2"],
  );
  assert.is(turns.waiting(), 1);
  assert.is(turns.next()?.task, "a3");
});

test("idle clients are forgotten eventually, and waiting ones never", () => {
  const turns = makeFairTurns<string>(LIMITS);
  turns.take("waits", "x", 0);
  for (let i = 0; i < 30_000; i++) turns.charge(`client-${i}`, 1);
  assert.is(turns.next()?.client, "waits");
});

test.run();
