import { summariesConformance } from "../../core/summary/summaries.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { makeProjection } from "./projection.ts";
import { makeSummaries } from "./summaries.ts";

summariesConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    summaries: makeSummaries(database, TEST_SHARDS),
    close,
  };
});
