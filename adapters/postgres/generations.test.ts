import { generationsConformance } from "../../core/projection/generations.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { makeGenerations } from "./generations.ts";
import { openBuilderPool } from "./pool.ts";
import { makeProjection } from "./projection.ts";
import { readRows } from "./read_rows.fixture.ts";

generationsConformance("postgres", async () => {
  const { url, database, close } = await createMigratedDatabase();
  const pool = openBuilderPool(url, 2);
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    generations: makeGenerations(pool),
    rows: (model, shard) => readRows(database, model, shard),
    spoil: async ({ name }, shard) => {
      const text = `
        update read_models.${name} set events = events + 1
        where ctid = (select min(ctid) from read_models.${name} where shard = $1)`;
      await database.query({ name: "", text }, [shard]);
    },
    close: async () => {
      await pool.end();
      await close();
    },
  };
});
