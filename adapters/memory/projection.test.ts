import { projectionConformance } from "../../core/projection/projection.conformance.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore, shardIn } from "./store.ts";

projectionConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    rows: async (model, shard) => [...(shardIn(store, shard).rows.get(model.name)?.values() ?? [])],
    close: async () => {},
  };
});
