import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { readBacklog } from "./private_tables.ts";

const test = suite("reading the backlog");

test("it uses the index of the waiting rows and does not read rows that ended", async () => {
  const { url, close } = await createMigratedDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // The planner prefers a sequential scan of an empty table.
    await client.query("set enable_seqscan = off");
    let plan = "";
    await readBacklog(async (text, values) => {
      const { rows } = await client.query(`explain ${text}`, values);
      plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      return { rows: [{}] };
    });
    const { rows } = await client.query<{ indexname: string }>(
      `select indexname from pg_indexes
       where tablename = 'job_common' and indexdef like '%WHERE%state < %active%NOT blocked))'`,
    );
    assert.ok(
      rows.some(({ indexname }) => plan.includes(indexname)),
      plan,
    );
  } finally {
    await client.end();
    await close();
  }
});

test.run();
