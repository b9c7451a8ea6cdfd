import { activityConformance } from "../../core/summary/activity.conformance.ts";
import { makeMemoryActivity } from "./activity.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore } from "./store.ts";

activityConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    activity: makeMemoryActivity(store),
    close: async () => {},
  };
});
