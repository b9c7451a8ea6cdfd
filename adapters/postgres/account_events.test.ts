import { accountEventsConformance } from "../../core/log/account_events.conformance.ts";
import { createMigratedDatabase, TEST_SHARDS } from "../../scripts/test/migrated_database.ts";
import { makeAccountEvents } from "./account_events.ts";
import { makeEventLog } from "./event_log.ts";
import { makeProjection } from "./projection.ts";

accountEventsConformance("postgres", async () => {
  const { database, close } = await createMigratedDatabase();
  return {
    log: makeEventLog(database, TEST_SHARDS),
    projection: makeProjection(database),
    accountEvents: makeAccountEvents(database, TEST_SHARDS),
    close,
  };
});
