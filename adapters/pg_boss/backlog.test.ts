import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createMigratedDatabase } from "../../scripts/test/migrated_database.ts";
import { readBacklog } from "./backlog.ts";

const test = suite("backlog");

test("it is read off the index of what waits, and not off what ended lately", async () => {
  const { url, close } = await createMigratedDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // An empty table is sooner read whole, whatever its indexes are for.
    await client.query("set enable_seqscan = off");
    let plan = "";
    await readBacklog(async (text, values) => {
      const { rows } = await client.query(`explain ${text}`, values);
      plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      return { rows: [] };
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
