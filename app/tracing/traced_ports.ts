import type { EventLog } from "../../core/log/event_log.ts";
import type { Projection } from "../../core/projection/projection.ts";
import { inSpan } from "../../core/trace.ts";
import type { Reads } from "../metrics/measured_ports.ts";

/** Runs an effect that is one statement of the database inside of a span, if it is traced. */
const inSql = (statement: string) =>
  inSpan(`sql ${statement}`, {
    kind: "client",
    attributes: { "db.system.name": "postgresql", "db.query.summary": statement },
  });

/** A log whose appends have spans. */
export const tracedEventLog = (log: EventLog["Service"]): EventLog["Service"] => ({
  ...log,
  append: (shard, events) => inSql("append")(log.append(shard, events)),
});

/** A projection whose steps have spans. */
export const tracedProjection = (projection: Projection["Service"]): Projection["Service"] => ({
  ...projection,
  step: (shard, limit) => inSql("step")(projection.step(shard, limit)),
});

/** Reads that have spans. */
export const tracedReads = ({ summaries, activity, accountEvents }: Reads): Reads => ({
  summaries: {
    ...summaries,
    summary: (...question) => inSql("summary")(summaries.summary(...question)),
  },
  activity: {
    ...activity,
    counts: (...question) => inSql("activity")(activity.counts(...question)),
  },
  accountEvents: {
    ...accountEvents,
    page: (...question) => inSql("account_events")(accountEvents.page(...question)),
  },
});
