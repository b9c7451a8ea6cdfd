import { activityConformance } from "../../core/summary/activity.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeActivity } from "./activity.ts";
import { makeEventLog } from "./event_log.ts";
import { makeProjection } from "./projection.ts";

activityConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    activity: makeActivity(database, TEST_SHARDS),
    close,
  };
});
