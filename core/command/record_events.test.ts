import { Effect, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ANYONE, Client, type Principal } from "../access/principal.ts";
import { NO_QUOTAS } from "../access/quotas.ts";
import { NOW, rulesWith, sentEvent } from "../event/decode.fixture.ts";
import { EventRules } from "../event/rules.ts";
import { formatTimestamp } from "../event/timestamp.ts";
import { type FakeQueue, makeFakeQueue } from "../queue/queue.fixture.ts";
import { type JobId, Queue, QueueFull, QueueUnavailable } from "../queue/queue.ts";
import { simulate } from "../simulate.fixture.ts";
import { TurnRefused, Turns } from "../turns.ts";
import { encodeUtf8 } from "../utf8.fixture.ts";
import { Admission, makeAdmission } from "./admission.ts";
import { knownCapacity } from "./capacity.fixture.ts";
import { type Body, recordEvents } from "./record_events.ts";

const test = suite("recordEvents");

const admission = makeAdmission({ capacity: knownCapacity(), quotas: NO_QUOTAS });

const bodyOf = (input: unknown): Body => ({
  bytes: encodeUtf8(JSON.stringify(input)),
  release: () => {},
});

/** The command, with unlimited capacity. */
const recordBody = (body: Body, principal: Principal = ANYONE) =>
  Effect.provideService(recordEvents(body, principal), Admission, admission);
const record = (input: unknown, principal: Principal = ANYONE) =>
  recordBody(bodyOf(input), principal);

/** Sends a body at NOW, and returns the result. */
const sent = (queue: FakeQueue["service"], input: unknown) =>
  simulate(
    Effect.andThen(
      TestClock.setTime(NOW),
      Effect.result(Effect.provideService(record(input), Queue, queue)),
    ),
  );
const refusedWith = (result: Result.Result<unknown, { readonly _tag: string }>): string =>
  Result.isFailure(result) ? result.failure._tag : "accepted";

test("an accepted batch is queued once, and the answer has its job and its number of events", async () => {
  const queue = makeFakeQueue();
  const events = [
    sentEvent({ event_id: "1" }),
    sentEvent({ event_id: "1" }),
    sentEvent({ event_id: "1", user_id: "bob" }),
    sentEvent({ event_id: "2" }),
  ];
  const accepted = Result.getOrThrow(await sent(queue.service, { events }));
  assert.equal(accepted, { jobId: "enqueued-1", queued: 4 });
  assert.is(queue.enqueued.length, 1);
  const [batch] = queue.enqueued;
  assert.equal(
    batch?.events.map(({ eventId, userId }) => [eventId, userId]),
    [
      ["1", "ada"],
      ["2", "ada"],
    ],
  );
  assert.equal([batch?.duplicates, batch?.conflicts], [1, 1]);
});

test("nothing of a batch is queued if one of its events is invalid", async () => {
  const queue = makeFakeQueue();
  const events = [sentEvent({ event_id: "1" }), sentEvent({ event_id: "" })];
  assert.is(refusedWith(await sent(queue.service, { events })), "EventInvalid");
  assert.is(refusedWith(await sent(queue.service, { events: [] })), "BatchEmpty");
  assert.is(refusedWith(await sent(queue.service, { event: [] })), "BatchMalformed");
  const many = Array.from({ length: 1_001 }, () => sentEvent());
  assert.is(refusedWith(await sent(queue.service, { events: many })), "BatchTooLarge");
  assert.equal(queue.enqueued, []);
});

test("a full or unavailable queue is reported as such", async () => {
  for (const error of [
    new QueueFull({ retryAfterSeconds: 3 }),
    new QueueUnavailable({ cause: "unavailable" }),
  ]) {
    const queue = { ...makeFakeQueue().service, enqueue: () => Effect.fail(error) };
    const result = await sent(queue, { events: [sentEvent()] });
    assert.is(Result.isFailure(result) ? result.failure : undefined, error);
  }
});

test("an invalid batch is refused without calling the queue", async () => {
  const queue = { ...makeFakeQueue().service, enqueue: () => Effect.die("asked") };
  assert.is(refusedWith(await sent(queue, { events: [{}] })), "EventInvalid");
});

test("the service's clock decides what is in the future", async () => {
  const at = (ms: number) => ({ events: [sentEvent({ timestamp: formatTimestamp(ms) })] });
  const queue = makeFakeQueue().service;
  assert.is(refusedWith(await sent(queue, at(NOW + 5 * 60_000))), "accepted");
  assert.is(refusedWith(await sent(queue, at(NOW + 5 * 60_000 + 1))), "EventInvalid");
});

test("the service's rules decide which types are allowed", async () => {
  const rules = rulesWith({ types: new Set(["refund"]) });
  const command = (type: string) =>
    Effect.result(record({ events: [sentEvent({ type })] })).pipe(
      Effect.provideService(EventRules, rules),
      Effect.provideService(Queue, makeFakeQueue().service),
    );
  const outcome = (type: string) => simulate(Effect.andThen(TestClock.setTime(NOW), command(type)));
  assert.is(refusedWith(await outcome("refund")), "accepted");
  assert.is(refusedWith(await outcome("login")), "EventInvalid");
});

test("a body is released once it is decoded or rejected, before the queue is called", async () => {
  const events: string[] = [];
  const body = (input: unknown) => ({
    ...bodyOf(input),
    release: () => void events.push("released"),
  });
  const queue = {
    ...makeFakeQueue().service,
    enqueue: () => Effect.sync(() => void events.push("asked")).pipe(Effect.as("job" as JobId)),
  };
  const recorded = (input: unknown, turns?: (typeof Turns)["Service"]) => {
    const command = recordBody(body(input)).pipe(Effect.provideService(Queue, queue));
    const inTurns = turns === undefined ? command : Effect.provideService(command, Turns, turns);
    return simulate(
      Effect.andThen(TestClock.setTime(NOW), Effect.result(Effect.timeout(inTurns, 0))),
    );
  };
  await recorded({ events: [sentEvent()] });
  assert.equal(events.splice(0), ["released", "asked"]);
  await recorded({ events: [{}] });
  assert.equal(events.splice(0), ["released"]);
  const refused = new TurnRefused({ reason: "late", retryAfterSeconds: 1 });
  await recorded({ events: [sentEvent()] }, { run: () => Effect.fail(refused) });
  assert.equal(events.splice(0), ["released"]);
  await recorded({ events: [sentEvent()] }, { run: () => Effect.never });
  assert.equal(events.splice(0), ["released"]);
});

test("a batch is decoded in the turns of its client", async () => {
  const clients: string[] = [];
  const turns: (typeof Turns)["Service"] = {
    run: (client, work) => {
      clients.push(client);
      return Effect.sync(() => work() as never);
    },
  };
  const command = record({ events: [sentEvent()] }).pipe(
    Effect.provideService(Queue, makeFakeQueue().service),
    Effect.provideService(Turns, turns),
    Effect.provideService(Client, "key:7"),
  );
  await simulate(Effect.andThen(TestClock.setTime(NOW), Effect.result(command)));
  assert.equal(clients, ["key:7"]);
});

test.run();
