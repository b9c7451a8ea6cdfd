import { summariesConformance } from "../../core/summary/summaries.conformance.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore } from "./store.ts";
import { makeMemorySummaries } from "./summaries.ts";

summariesConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    summaries: makeMemorySummaries(store),
    close: async () => {},
  };
});
