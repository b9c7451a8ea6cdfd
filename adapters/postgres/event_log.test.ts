import { eventLogConformance } from "../../core/log/event_log.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";

eventLogConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return { log: makeEventLog(database, TEST_SHARDS), close };
});
