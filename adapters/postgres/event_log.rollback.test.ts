import { Effect, Result } from "effect";
import * as fc from "fast-check";
import pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { type Event, identityOf } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
} from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { databaseOf } from "./pool.ts";

const test = suite("EventLog: postgres, when transactions fail");

let migrated: MigratedDatabase;
let accounts = 0;

test.before(async () => {
  migrated = await createMigratedDatabase();
});
test.after(() => migrated.close());

/** How a writer's transaction ends. "lost" commits, but the writer gets no answer. */
type Ending = "commit" | "roll back" | "break" | "lost";

test("writers whose transactions roll back, break or commit without an answer leave dense positions and each event once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          ids: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
          endings: fc.array(fc.constantFrom<Ending>("roll back", "break", "lost"), {
            maxLength: 3,
          }),
        }),
        { minLength: 2, maxLength: 6 },
      ),
      async (writers) => {
        const log = makeEventLog(migrated.database, 2);
        const before = (await Effect.runPromise(log.heads))[0]?.position ?? 0;
        const accountId = `account-${++accounts}`;
        await Promise.all(
          writers.map(async ({ ids, endings }) => {
            const events = ids.map((id) => anEvent({ accountId, eventId: String(id) }));
            // Every delivery but the last one fails in some way; the worker then appends the same
            // events again.
            for (const ending of endings) await deliver(events, ending);
            await deliver(events, "commit");
          }),
        );
        const read = await Effect.runPromise(log.read(0, before, 1_000));
        const distinct = new Set(writers.flatMap(({ ids }) => ids));
        assert.is(new Set(read.map(identityOf)).size, read.length);
        assert.equal(new Set(read.map(({ eventId }) => Number(eventId))), distinct);
        assert.equal(
          read.map(({ position }) => position),
          read.map((_, i) => before + 1 + i),
        );
        const heads = await Effect.runPromise(log.heads);
        assert.is(heads[0]?.position, before + distinct.size);
      },
    ),
    { numRuns: 8 },
  );
});

test("a reader never sees a position before all lower ones", async () => {
  const log = makeEventLog(migrated.database, 2);
  const accountId = `account-${++accounts}`;
  const before = (await Effect.runPromise(log.heads))[0]?.position ?? 0;
  const state = { writing: true };
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; i < 25; i++) {
      const eventId = `${writer}-${i}`;
      await deliver([anEvent({ accountId, eventId })], i % 3 === 0 ? "roll back" : "commit");
    }
  };
  const watch = async (): Promise<number> => {
    let reads = 0;
    while (state.writing) {
      const read = await Effect.runPromise(log.read(0, before, 10_000));
      assert.equal(
        read.map(({ position }) => position),
        read.map((_, i) => before + 1 + i),
      );
      reads++;
    }
    return reads;
  };
  const watching = watch();
  await Promise.all([1, 2, 3, 4].map(write));
  state.writing = false;
  assert.ok((await watching) > 0);
});

const deliver = async (events: ReadonlyArray<Event>, ending: Ending): Promise<void> => {
  const client = new pg.Client({ connectionString: migrated.url });
  client.on("error", () => {});
  await client.connect();
  const database = databaseOf(client);
  await client.query("begin");
  await Effect.runPromise(makeEventLog(database, 2).append(0, events));
  if (ending === "break") {
    // As after a kill -9 of the writer: the connection breaks without notice.
    (
      client as unknown as { connection: { stream: { destroy: () => void } } }
    ).connection.stream.destroy();
    return;
  }
  await client.query(ending === "roll back" ? "rollback" : "commit");
  await client.end();
};

test("an append gives up on a shard that is locked, and the next one succeeds", async () => {
  const log = makeEventLog(migrated.database, 2);
  const accountId = `account-${++accounts}`;
  const shard = shardOf(accountId, 2);
  const append = () =>
    Effect.runPromise(Effect.result(log.append(shard, [anEvent({ accountId, eventId: "1" })])));
  const holder = new pg.Client({ connectionString: migrated.url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select from tidemark.log_heads where shard = $1 for update", [shard]);
  const refused = await append();
  assert.is(Result.isFailure(refused) ? refused.failure._tag : "appended", "ShardBusy");
  await holder.query("rollback");
  await holder.end();
  assert.ok(Result.isSuccess(await append()));
});

test.run();
