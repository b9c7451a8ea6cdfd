import { accountEventsConformance } from "../../core/log/account_events.conformance.ts";
import { makeMemoryAccountEvents } from "./account_events.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore } from "./store.ts";

accountEventsConformance("memory", async () => {
  const store = makeMemoryStore(2);
  return {
    log: makeMemoryEventLog(store),
    projection: makeMemoryProjection(store),
    accountEvents: makeMemoryAccountEvents(store),
    close: async () => {},
  };
});
