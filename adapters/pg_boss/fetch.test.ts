import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { FETCH_BYTES_MAX } from "../../core/queue/queue.ts";
import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { startBoss } from "./boss.ts";
import { fetchRows } from "./fetch.ts";
import { newRowId } from "./job_id.ts";
import { rowWith } from "./payload.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";
import { sizeKey } from "./row_size.ts";

const test = suite("fetching rows");

const open = async () => {
  const { url, execute, close } = await createMigratedDatabase();
  const boss = await startBoss({ execute, supervise: false, onError: () => {} });
  const batch = { events: [anEvent()], duplicates: 0, conflicts: 0 };
  /** Adds a row that says that it holds so much; null for one that says nothing. */
  const add = async (size: { readonly events: number; readonly bytes: number } | null) => {
    const { singletonKey: _, ...row } = await rowWith(newRowId(Date.now()), [batch]);
    const key = size === null ? {} : { singletonKey: sizeKey(size) };
    await boss.insert(EVENTS_QUEUE, [{ ...row, ...key }]);
    return row.id;
  };
  return {
    url,
    execute,
    boss,
    add,
    close: async () => {
      await boss.stop({ graceful: false });
      await close();
    },
  };
};

test("it hands out rows in their order up to the events and the bytes, and one that is larger alone", async () => {
  const { add, execute, close } = await open();
  try {
    const half = FETCH_BYTES_MAX / 2;
    const sizes = [
      { events: 10, bytes: half },
      { events: 10, bytes: half },
      { events: 10, bytes: 1 },
      { events: 90, bytes: 1 },
      { events: 1, bytes: 3 * half },
      { events: 500, bytes: 1 },
      null,
      { events: 1, bytes: 1 },
    ];
    const ids: string[] = [];
    for (const size of sizes) ids.push(await add(size));
    const taken: number[][] = [];
    for (let i = 0; i < 8; i++) {
      const rows = await fetchRows(execute, 64, 100);
      taken.push(rows.map(({ id }) => ids.indexOf(id)).toSorted((a, b) => a - b));
    }
    // What says nothing of its size counts as a full row.
    assert.equal(taken, [[0, 1], [2, 3], [4], [5], [6], [7], [], []]);
  } finally {
    await close();
  }
});

test("it claims rows as pg-boss does: the attempt counts, and pg-boss settles it", async () => {
  const { add, boss, execute, close } = await open();
  try {
    const id = await add({ events: 1, bytes: 300 });
    const [first] = await fetchRows(execute, 1, 100);
    assert.equal([first?.id, first?.retryCount], [id, 0]);
    assert.equal(await fetchRows(execute, 1, 100), []);
    await boss.fail(EVENTS_QUEUE, [{ id, retryCount: 0 }], {});
    await execute("update tidemark_queue.job set start_after = now()");
    const [again] = await fetchRows(execute, 1, 100);
    assert.equal([again?.id, again?.retryCount], [id, 1]);
    await boss.complete(EVENTS_QUEUE, [{ id, retryCount: 1 }]);
    const [row] = await boss.findJobs(EVENTS_QUEUE, { id });
    assert.is(row?.state, "completed");
    assert.ok(row?.heartbeatOn);
  } finally {
    await close();
  }
});

test("it finds what is next in the index that is for that, touches no payload of what it leaves, and claims by ids", async () => {
  const { url, close } = await open();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // An empty table is sooner read whole, whatever its indexes are for.
    await client.query("set enable_seqscan = off");
    let plan = "";
    await fetchRows(
      async (text) => {
        const { rows } = await client.query(`explain (verbose) ${text}`);
        plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
        return { rows: [] };
      },
      8,
      4_000,
    );
    const { rows } = await client.query<{ indexname: string }>(
      `select indexname from pg_indexes
       where tablename = 'job_common' and indexdef like '%priority DESC, created_on%state < %active%'`,
    );
    assert.ok(
      rows.some(({ indexname }) => plan.includes(indexname)),
      plan,
    );
    const [, candidates = "", claimed = ""] = /CTE candidate([^]*?)\n  ->([^]*)$/.exec(plan) ?? [];
    assert.match(candidates, "singleton_key");
    assert.not.match(candidates, /\bdata\b/);
    assert.match(claimed, /Index Cond: .*\bid = ANY/);
    assert.not.match(claimed, /Join Filter|Seq Scan on/);
  } finally {
    await client.end();
    await close();
  }
});

test.run();
