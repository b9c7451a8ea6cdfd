import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFairSemaphore } from "./fair_semaphore.ts";

const test = suite("fair semaphore");

test("as many tasks start as there are places, and the next one when one leaves", () => {
  const semaphore = makeFairSemaphore(2);
  const began: string[] = [];
  const enter = (name: string) => semaphore.enter("client", () => began.push(name));
  const leaveFirst = enter("first");
  enter("second");
  enter("third");
  assert.equal(began, ["first", "second"]);
  assert.is(semaphore.waiting(), 1);
  leaveFirst();
  leaveFirst();
  assert.equal(began, ["first", "second", "third"]);
  assert.is(semaphore.waiting(), 0);
});

test("a client that wants one place waits for one task of each other client, whatever they want", () => {
  const semaphore = makeFairSemaphore(1);
  const began: string[] = [];
  const leaves = new Map<string, () => void>();
  const enter = (client: string, name: string) => {
    leaves.set(
      name,
      semaphore.enter(client, () => began.push(name)),
    );
  };
  for (let i = 0; i < 100; i++) enter("greedy", `greedy ${i}`);
  enter("modest", "modest");
  for (let i = 0; i < 3; i++) leaves.get(began.at(-1) ?? "")?.();
  assert.equal(began.slice(0, 4), ["greedy 0", "greedy 1", "modest", "greedy 2"]);
});

test("a task that leaves while waiting never starts, and takes no place from others", () => {
  const semaphore = makeFairSemaphore(1);
  const began: string[] = [];
  const enter = (client: string, name: string) => semaphore.enter(client, () => began.push(name));
  const leave = enter("a", "inside");
  const giveUp = enter("a", "gone");
  enter("b", "next");
  giveUp();
  assert.is(semaphore.waiting(), 1);
  leave();
  assert.equal(began, ["inside", "next"]);
});

const steps = fc.array(
  fc.oneof(
    fc.record({ client: fc.constantFrom("a", "b", "c"), leaves: fc.constant(-1) }),
    fc.record({ client: fc.constant(""), leaves: fc.nat(200) }),
  ),
  { maxLength: 200 },
);

test("in any order of entering and leaving, no place is lost or given twice, and all clients get turns", () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 4 }), (all, places) => {
      const semaphore = makeFairSemaphore(places);
      const entered: Array<{
        client: string;
        leave: () => void;
        state: string;
        passed: Set<string>;
      }> = [];
      const count = (state: string) => entered.filter((each) => each.state === state).length;
      for (const { client, leaves } of all) {
        if (leaves >= 0) {
          const who = entered[leaves % Math.max(1, entered.length)];
          if (who === undefined) continue;
          who.state = "left";
          who.leave();
          who.leave();
        } else {
          const who = { client, leave: () => {}, state: "waiting", passed: new Set<string>() };
          entered.push(who);
          who.leave = semaphore.enter(client, () => {
            assert.is(who.state, "waiting", "it began though it had left");
            who.state = "inside";
            // The first waiting task of a client sees every other client pass at most once.
            const firsts = new Map<string, (typeof entered)[number]>();
            for (const each of entered) {
              if (each.state === "waiting" && !firsts.has(each.client))
                firsts.set(each.client, each);
            }
            for (const first of firsts.values()) {
              if (first.client === client) continue;
              assert.not(first.passed.has(client), `${client} had two turns before another`);
              first.passed.add(client);
            }
            for (const each of entered) if (each.client === client) each.passed.clear();
          });
        }
        assert.is(count("inside"), Math.min(places, count("inside") + count("waiting")));
        assert.is(semaphore.waiting(), count("waiting"));
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
