import { generationsConformance } from "../../core/projection/generations.conformance.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryGenerations } from "./generations.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore, shardIn } from "./store.ts";

generationsConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    generations: makeMemoryGenerations(store),
    rows: async (model, shard) => [...(shardIn(store, shard).rows.get(model.name)?.values() ?? [])],
    spoil: async (model, shard) => {
      const { rows } = shardIn(store, shard);
      const [[id, row] = [], ...others] = rows.get(model.name) ?? [];
      if (id === undefined || row === undefined) throw new Error("there is no row");
      rows.set(model.name, new Map([[id, { ...row, events: row.events + 1 }], ...others]));
    },
    close: async () => {},
  };
});
