import { accountEventsConformance } from "../../core/log/account_events.conformance.ts";
import { eventLogConformance } from "../../core/log/event_log.conformance.ts";
import { makeMemoryAccountEvents, makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore } from "./store.ts";

eventLogConformance("memory", async () => ({
  log: makeMemoryEventLog(makeMemoryStore(2)),
  close: async () => {},
}));

accountEventsConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    accountEvents: makeMemoryAccountEvents(store),
    close: async () => {},
  };
});
