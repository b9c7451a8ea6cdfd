import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import type { Event, RecordedEvent } from "../event/event.ts";
import { HOUR_MS, hourOf } from "../time.ts";
import {
  DIMENSIONS,
  fold,
  NO_ROWS,
  READ_MODELS,
  type ReadModel,
  type Rows,
} from "./read_models.ts";

const test = suite("read models");

const model = (...dimensions: ReadModel["dimensions"]): ReadModel => ({
  name: "m",
  dimensions,
  version: 1,
});
const recorded = (events: ReadonlyArray<Event>): ReadonlyArray<RecordedEvent> =>
  events.map((event, i) => ({ ...event, shard: 0, position: i + 1, recordedAt: 0 }));
const rowsOf = (rows: Rows) =>
  [...rows.values()]
    .map(({ key, events }) => [...key, events])
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

const streams = eventStream({ accounts: ["x", "y"], eventIds: 20 }, 60).map(recorded);
const names = Object.keys(DIMENSIONS) as (keyof typeof DIMENSIONS)[];
const models = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1 })
  .map((chosen) => model(...chosen));

test("an hour contains its first millisecond and not that of the next hour, also before 1970", () => {
  const hour = Date.UTC(2024, 1, 29, 23);
  assert.is(hourOf(hour), hour);
  assert.is(hourOf(hour + HOUR_MS - 1), hour);
  assert.is(hourOf(hour + HOUR_MS), Date.UTC(2024, 2, 1));
  assert.is(hourOf(-1), -HOUR_MS);
  assert.is(hourOf(0), 0);
});

test("every instant is in its hour, which is a whole hour of UTC", () => {
  fc.assert(
    fc.property(fc.oneof(moment, fc.integer({ min: -1e13, max: 1e13 })), (ms) => {
      const hour = hourOf(ms);
      assert.ok(hour <= ms && ms < hour + HOUR_MS);
      assert.match(new Date(hour).toISOString(), /:00:00\.000Z$/);
    }),
  );
});

test("a fold counts the events of each combination of its dimensions", () => {
  const at = Date.UTC(2026, 0, 31, 9);
  const events = recorded([
    anEvent({ eventId: "1", occurredAt: at }),
    anEvent({ eventId: "2", occurredAt: at + HOUR_MS - 1, userId: "bob" }),
    anEvent({ eventId: "3", occurredAt: at + HOUR_MS }),
    anEvent({ eventId: "4", occurredAt: at - 1, type: "custom" }),
    anEvent({ eventId: "5", occurredAt: at, accountId: "other" }),
  ]);
  assert.equal(rowsOf(fold(model("account_id", "hour", "type"), NO_ROWS, events)), [
    ["acme", at - HOUR_MS, "custom", 1],
    ["acme", at, "login", 2],
    ["acme", at + HOUR_MS, "login", 1],
    ["other", at, "login", 1],
  ]);
  assert.equal(rowsOf(fold(model("user_id"), NO_ROWS, events)), [
    ["ada", 4],
    ["bob", 1],
  ]);
  assert.equal(rowsOf(fold(model("type", "account_id"), NO_ROWS, events)), [
    ["custom", "acme", 1],
    ["login", "acme", 3],
    ["login", "other", 1],
  ]);
});

test("folding nothing changes nothing, and no fold changes the rows that it was given", () => {
  const one = recorded([anEvent()]);
  const rows = fold(model("type"), NO_ROWS, one);
  assert.equal(fold(model("type"), rows, []), rows);
  fold(model("type"), rows, one);
  assert.equal(rowsOf(rows), [["login", 1]]);
  assert.is(NO_ROWS.size, 0);
});

test("values that are equal only when joined are different rows", () => {
  const events = recorded([
    anEvent({ eventId: "1", accountId: "a,b", userId: "c" }),
    anEvent({ eventId: "2", accountId: "a", userId: "b,c" }),
    anEvent({ eventId: "3", accountId: 'a","b', userId: "c" }),
  ]);
  assert.is(fold(model("account_id", "user_id"), NO_ROWS, events).size, 3);
});

test("any split of a stream into ranges gives the same rows", () => {
  fc.assert(
    fc.property(models, streams, fc.array(fc.nat({ max: 60 })), (any, stream, cuts) => {
      const bounds = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      let rows = NO_ROWS;
      for (const [i, end] of bounds.slice(1).entries()) {
        rows = fold(any, rows, stream.slice(bounds[i], end));
      }
      assert.equal(rowsOf(rows), rowsOf(fold(any, NO_ROWS, stream)));
    }),
    { numRuns: 200 },
  );
});

test("any order of a stream gives the same rows", () => {
  fc.assert(
    fc.property(models, streams, fc.infiniteStream(fc.nat()), (any, stream, ranks) => {
      const shuffled = stream
        .map((event) => ({ event, rank: ranks.next().value ?? 0 }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ event }) => event);
      assert.equal(rowsOf(fold(any, NO_ROWS, shuffled)), rowsOf(fold(any, NO_ROWS, stream)));
    }),
  );
});

test("the rows of any stream equal a simple count, and add up to the stream", () => {
  fc.assert(
    fc.property(models, streams, (any, stream) => {
      const rows = fold(any, NO_ROWS, stream);
      let sum = 0;
      for (const { key, events } of rows.values()) {
        const same = stream.filter((event) =>
          any.dimensions.every((dimension, i) => DIMENSIONS[dimension](event) === key[i]),
        );
        assert.is(events, same.length);
        sum += events;
      }
      assert.is(sum, stream.length);
    }),
  );
});

// SQL is built from them: the name is the name of a table, and the dimensions are its key.
test("every read model has a unique name that is valid for a table", () => {
  const tables = READ_MODELS.map(({ name }) => name);
  assert.is(new Set(tables).size, tables.length);
  for (const table of tables) assert.match(table, /^[a-z][a-z_]{0,62}$/);
});

test("every read model counts by account and by existing dimensions, each once", () => {
  for (const { name, dimensions } of READ_MODELS) {
    assert.is(dimensions[0], "account_id", name);
    assert.is(new Set(dimensions).size, dimensions.length, name);
    for (const dimension of dimensions) assert.type(DIMENSIONS[dimension], "function", name);
  }
});

test.run();
