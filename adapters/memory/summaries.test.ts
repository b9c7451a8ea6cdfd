import { activityConformance } from "../../core/summary/activity.conformance.ts";
import { summariesConformance } from "../../core/summary/summaries.conformance.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore } from "./store.ts";
import { makeMemoryActivity, makeMemorySummaries } from "./summaries.ts";

const open = () => {
  const store = makeMemoryStore(2);
  return {
    store,
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    close: async () => {},
  };
};

summariesConformance("memory", async () => {
  const { store, ...rest } = open();
  return { ...rest, summaries: makeMemorySummaries(store) };
});

activityConformance("memory", async () => {
  const { store, ...rest } = open();
  return { ...rest, activity: makeMemoryActivity(store) };
});
