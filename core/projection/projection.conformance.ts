import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../event/batch.ts";
import { anEvent, eventStream } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import type { EventLog } from "../log/event_log.ts";
import type { Projection } from "./projection.ts";
import { fold, NO_ROWS, READ_MODELS, type ReadModel, type Row } from "./read_models.ts";

export interface OpenedProjection {
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  /** The rows of a read model on one shard, in any order. */
  readonly rows: (model: ReadModel, shard: number) => Promise<ReadonlyArray<Row>>;
  readonly close: () => Promise<void>;
}

/** What every adapter of `Projection` promises. `open` makes an empty log of 2 shards or more. */
export const projectionConformance = (
  adapter: string,
  open: () => Promise<OpenedProjection>,
): void => {
  const test = suite(`Projection: ${adapter}`);
  let opened: OpenedProjection;
  let namespaces = 0;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const freshAccount = (): string => `account-${++namespaces}`;
  const append = (shard: number, events: ReadonlyArray<Event>) =>
    Effect.runPromise(opened.log.append(shard, collapse(events).events));
  const step = (shard: number, limit = 1_000_000) =>
    Effect.runPromise(opened.projection.step(shard, limit));
  const skip = (shard: number, position: number) =>
    Effect.runPromise(opened.projection.skip(shard, position, "why"));
  const lagOf = async (shard: number) => {
    const lags = await Effect.runPromise(opened.projection.lag);
    return lags.find((lag) => lag.shard === shard);
  };
  const sorted = (rows: Iterable<Row>): ReadonlyArray<string> =>
    [...rows].map((row) => JSON.stringify([row.key, row.events])).toSorted();
  /** Asserts that the rows are the fold of the log up to the checkpoint. */
  const assertRowsAreTheFold = async (shard: number): Promise<void> => {
    const checkpoint = (await lagOf(shard))?.checkpoint ?? 0;
    const events = await Effect.runPromise(opened.log.read(shard, 0, checkpoint));
    for (const model of READ_MODELS) {
      const expected = fold(model, NO_ROWS, events).values();
      assert.equal(sorted(await opened.rows(model, shard)), sorted(expected), model.name);
    }
  };

  test("a step folds new events and moves the checkpoint past them", async () => {
    const accountId = freshAccount();
    await append(0, [anEvent({ accountId, eventId: "1" }), anEvent({ accountId, eventId: "2" })]);
    await append(0, [anEvent({ accountId: "another", eventId: "1" })]);
    const { projected, checkpoint, accounts, oldestRecordedAt } = await step(0);
    assert.is(projected, 3);
    const [oldest] = await Effect.runPromise(opened.log.read(0, checkpoint - 3, 1));
    assert.is(oldestRecordedAt, oldest?.recordedAt);
    assert.equal(accounts.toSorted(), [accountId, "another"].toSorted());
    const lag = await lagOf(0);
    assert.equal([lag?.head, lag?.checkpoint, lag?.seconds], [checkpoint, checkpoint, 0]);
    const checkpoints = await Effect.runPromise(opened.projection.checkpoints);
    assert.equal(
      checkpoints.find((one) => one.shard === 0),
      { shard: 0, position: checkpoint, generation: 1 },
    );
    await assertRowsAreTheFold(0);
    const nothing = await step(0);
    assert.equal([nothing.projected, nothing.accounts, nothing.oldestRecordedAt], [0, [], null]);
    await assertRowsAreTheFold(0);
  });

  test("a step folds at most the limit, and the lag reports the rest", async () => {
    const accountId = freshAccount();
    await append(
      0,
      ["1", "2", "3"].map((eventId) => anEvent({ accountId, eventId })),
    );
    assert.is((await step(0, 2)).projected, 2);
    const lag = await lagOf(0);
    assert.is((lag?.head ?? 0) - (lag?.checkpoint ?? 0), 1);
    assert.ok((lag?.seconds ?? -1) >= 0);
    assert.equal(await Effect.runPromise(opened.projection.lagging), [0]);
    await assertRowsAreTheFold(0);
    assert.is((await step(0, 2)).projected, 1);
    assert.equal(await Effect.runPromise(opened.projection.lagging), []);
  });

  test("late events and repeated ids, in any order and any steps, give the rows of the fold", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            shard: fc.constantFrom(0, 1),
            stream: eventStream({ accounts: ["x", "y", "z"], eventIds: 20 }, 30),
            limit: fc.integer({ min: 1, max: 40 }),
          }),
          { maxLength: 6 },
        ),
        async (rounds) => {
          const prefix = freshAccount();
          for (const { shard, stream, limit } of rounds) {
            await append(
              shard,
              stream.map((event) => ({ ...event, accountId: `${prefix}-${event.accountId}` })),
            );
            await step(shard, limit);
          }
          await assertRowsAreTheFold(0);
          await assertRowsAreTheFold(1);
        },
      ),
      { numRuns: 15 },
    );
  });

  test("concurrent projectors fold every event once", async () => {
    const accountId = freshAccount();
    const events = Array.from({ length: 200 }, (_, i) => anEvent({ accountId, eventId: `${i}` }));
    const projectUntilCaughtUp = async (): Promise<number> => {
      let projected = 0;
      while ((await Effect.runPromise(opened.projection.lagging)).includes(1)) {
        projected += (await step(1, 7)).projected;
      }
      return projected;
    };
    await projectUntilCaughtUp();
    await append(1, events);
    const shares = await Promise.all([1, 2, 3].map(projectUntilCaughtUp));
    assert.is(
      shares.reduce((sum, share) => sum + share, 0),
      200,
    );
    await assertRowsAreTheFold(1);
  });

  test("a skipped event moves the checkpoint and is in no row", async () => {
    const accountId = freshAccount();
    while ((await step(0)).projected > 0);
    await append(0, [anEvent({ accountId, eventId: "poison" })]);
    const next = ((await lagOf(0))?.checkpoint ?? 0) + 1;
    const before = await Promise.all(READ_MODELS.map((model) => opened.rows(model, 0)));
    const skipped = await skip(0, next);
    assert.equal([skipped.projected, skipped.checkpoint, skipped.accounts], [1, next, [accountId]]);
    assert.is((await step(0)).projected, 0);
    for (const [i, model] of READ_MODELS.entries()) {
      assert.equal(sorted(await opened.rows(model, 0)), sorted(before[i] ?? []));
    }
  });

  test("only the next event can be skipped, so two projectors never skip the one after it", async () => {
    const accountId = freshAccount();
    while ((await step(0)).projected > 0);
    await append(
      0,
      ["poison", "innocent"].map((eventId) => anEvent({ accountId, eventId })),
    );
    const next = ((await lagOf(0))?.checkpoint ?? 0) + 1;
    const skips = await Promise.all([skip(0, next), skip(0, next), skip(0, next)]);
    assert.is(
      skips.reduce((sum, { projected }) => sum + projected, 0),
      1,
    );
    for (const position of [next - 1, next, next + 2]) {
      assert.is((await skip(0, position)).projected, 0);
    }
    assert.is((await step(0)).projected, 1);
  });

  test.run();
};
