import { projectionConformance } from "../../core/projection/projection.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { makeProjection } from "./projection.ts";
import { readRows } from "./read_rows.fixture.ts";

projectionConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    rows: (model, shard) => readRows(database, model, shard),
    close,
  };
});
