import { eventLogConformance } from "../../core/log/event_log.conformance.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryStore } from "./store.ts";

eventLogConformance("memory", async () => ({
  log: makeMemoryEventLog(makeMemoryStore(2)),
  close: async () => {},
}));
