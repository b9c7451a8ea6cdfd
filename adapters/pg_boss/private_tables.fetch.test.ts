import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { FETCH_BYTES_MAX } from "../../core/queue/queue.ts";
import { newRowId } from "./job_id.ts";
import { rowWith } from "./payload.ts";
import { fetchRows, sizeKey } from "./private_tables.ts";
import { aBatch, openQueue } from "./queue.fixture.ts";
import { EVENTS_QUEUE } from "./queue_settings.ts";

const test = suite("fetching rows");

const open = async () => {
  const { url, execute, boss, close } = await openQueue();
  /** Adds a row of the given size; null for a row without its size. */
  const add = async (size: { readonly events: number; readonly bytes: number } | null) => {
    const { singletonKey: _, ...row } = await rowWith(newRowId(Date.now()), [aBatch()]);
    const key = size === null ? {} : { singletonKey: sizeKey(size) };
    await boss.insert(EVENTS_QUEUE, [{ ...row, ...key }]);
    return row.id;
  };
  return { url, execute, boss, add, close };
};

test("it fetches rows in their order up to the bounds of events and bytes, and a larger row alone", async () => {
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
    const fetched: number[][] = [];
    for (let i = 0; i < 8; i++) {
      const rows = await fetchRows(execute, 64, 100);
      fetched.push(rows.map(({ id }) => ids.indexOf(id)).toSorted((a, b) => a - b));
    }
    // A row without its size counts as full.
    assert.equal(fetched, [[0, 1], [2, 3], [4], [5], [6], [7], [], []]);
  } finally {
    await close();
  }
});

test("it claims rows as pg-boss does: the attempt counts, and pg-boss completes it", async () => {
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

test("it finds the next rows by pg-boss's index, reads no payload of rows that it leaves, and claims by ids", async () => {
  const { url, close } = await open();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // The planner prefers a sequential scan of an empty table.
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
