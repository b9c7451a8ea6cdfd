import { Effect, Result } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ANYONE, Client } from "../access/principal.ts";
import { NO_QUOTAS } from "../access/quotas.ts";
import { anEvent } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import { PRIORITIES, type Priority } from "../queue/queue.ts";
import { simulate } from "../simulate.fixture.ts";
import { makeAdmission } from "./admission.ts";
import { makeCapacity } from "./capacity.ts";

const test = suite("admission shares fairly");

/** How many events drain in a second. */
const DRAINED_PER_SECOND = 2_000;

/** The limit: what drains in ten seconds. */
const LIMITS = { queuedMax: 10 * DRAINED_PER_SECOND, laggingMax: 1_000_000 };

const TICK_MS = 100;
const SECONDS = 25;

/** What a client may have sent before it counts as heavy: 500 events a second, for 5 s / ln 2. */
const UNNOTICED_EVENTS = 3_700;

const FLOOD_EVENTS = 500;

/** A batch that is being processed is not interrupted for another. */
const IN_HAND_MS = 2 * TICK_MS + (FLOOD_EVENTS / DRAINED_PER_SECOND) * 1_000;

interface Waiting {
  readonly client: string;
  readonly events: number;
  readonly since: number;
}

/** A queue with admission control that drains by priority. */
const openStation = () => {
  const capacity = makeCapacity(LIMITS);
  const { admit } = makeAdmission({ capacity, quotas: NO_QUOTAS });
  const waiting: Record<Priority, Waiting[]> = { normal: [], low: [], lowest: [] };
  const waits: { readonly client: string; readonly since: number; readonly ms: number }[] = [];
  let appended = 0;
  let left = 0;
  const queued = () =>
    PRIORITIES.flatMap((priority) => waiting[priority]).reduce(
      (sum, { events }) => sum + events,
      0,
    );

  const drain = (now: number): void => {
    // A batch is processed as a whole; the excess is deducted from the next tick.
    left = Math.min(0, left) + (DRAINED_PER_SECOND * TICK_MS) / 1_000;
    for (const priority of PRIORITIES) {
      for (let next = waiting[priority][0]; next !== undefined && left > 0;) {
        left -= next.events;
        appended += next.events;
        waits.push({ client: next.client, since: next.since, ms: now - next.since });
        waiting[priority].shift();
        next = waiting[priority][0];
      }
    }
  };
  return {
    waits,
    queued,
    drain,
    read: (now: number) =>
      capacity.beginSample().succeed({ at: now, queued: queued(), appended, folded: appended }),
    send: (client: string, events: ReadonlyArray<Event>, now: number) =>
      admit({ events, duplicates: 0, conflicts: 0 }, ANYONE, (priority) =>
        Effect.sync(() => {
          waiting[priority].push({ client, events: events.length, since: now });
          return "a job";
        }),
      ).pipe(Effect.provideService(Client, client), Effect.result, Effect.map(Result.isSuccess)),
  };
};

test("while one client floods, the others are never refused and wait no longer than their own load explains", () => {
  const light = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
  // In batches of 500, spread over any number of accounts.
  const flood = fc.record({
    batches: fc.integer({ min: 1, max: 6 }),
    accounts: fc.constantFrom(1, 100, Number.POSITIVE_INFINITY),
    from: fc.integer({ min: 0, max: 50 }),
  });
  return fc.assert(
    fc.asyncProperty(light, flood, (rates, { batches, accounts, from }) =>
      simulate(
        Effect.gen(function* () {
          const { send, drain, read, queued, waits } = openStation();
          let made = 0;
          let floodRefused = 0;
          const account = () =>
            `flood ${accounts === Number.POSITIVE_INFINITY ? made++ : made++ % accounts}`;
          read(0);
          for (let tick = 0; tick < SECONDS * 10; tick++) {
            const now = tick * TICK_MS;
            const floods = tick < from ? 0 : batches;
            for (let i = 0; i < floods; i++) {
              const events = Array.from({ length: FLOOD_EVENTS }, () =>
                anEvent({ accountId: account() }),
              );
              if (!(yield* send("flood", events, now))) floodRefused++;
            }
            for (const [i, rate] of rates.entries()) {
              const events = Array.from({ length: rate }, () => anEvent({ accountId: `own ${i}` }));
              assert.ok(yield* send(`light ${i}`, events, now), `light ${i} is refused at ${now}`);
            }
            assert.ok(queued() <= LIMITS.queuedMax);
            yield* TestClock.adjust(TICK_MS);
            drain(now + TICK_MS);
            if (tick % 3 === 0) read(now + TICK_MS);
          }
          assert.ok(floodRefused > 0, "it was no flood");
          const unnoticedMs = (UNNOTICED_EVENTS / DRAINED_PER_SECOND) * 1_000;
          // What it sent before it was heavy drains together with what the others keep sending.
          const lightPerSecond = rates.reduce((sum, rate) => sum + (rate * 1_000) / TICK_MS, 0);
          const clearedMs = (UNNOTICED_EVENTS / (DRAINED_PER_SECOND - lightPerSecond)) * 1_000;
          for (const { client, since, ms } of waits) {
            if (client === "flood") continue;
            // Together they send less than drains: only what the flood sent before it was heavy can delay them.
            const isUnnoticed = since < from * TICK_MS + clearedMs + 1_000;
            const allowed = IN_HAND_MS + (isUnnoticed ? unnoticedMs : 0);
            assert.ok(ms <= allowed, `${client} waited ${ms} ms at ${since}`);
          }
          // And the flood gets everything that the others leave.
          const ofFlood = waits.filter(({ client }) => client === "flood").length * FLOOD_EVENTS;
          const ofLight = lightPerSecond * SECONDS;
          const possible = DRAINED_PER_SECOND * (SECONDS - (from * TICK_MS) / 1_000) - ofLight;
          const wanted = batches * FLOOD_EVENTS * (SECONDS * 10 - from);
          assert.ok(ofFlood >= Math.min(possible, wanted) * 0.9, `${ofFlood} of ${possible}`);
        }),
      ),
    ),
    { numRuns: 8 },
  );
});

test.run();
