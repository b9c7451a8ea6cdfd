import type { EventLog } from "../core/log/event_log.ts";
import type { Projection } from "../core/projection/projection.ts";
import type { Queue } from "../core/queue/queue.ts";
import {
  measuredEventLog,
  measuredProjection,
  measuredQueue,
  measuredReads,
  type Reads,
} from "./metrics/measured_ports.ts";
import type { Meters } from "./metrics/meters.ts";
import { tracedEventLog, tracedProjection, tracedReads } from "./tracing/traced_ports.ts";

/** The ports through which events and queries pass. */
export interface Ports {
  readonly queue: Queue["Service"];
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly reads: Reads;
}

export interface Observers {
  readonly meters: Meters;
  /** Whether anything is traced; if not, nothing of it stands in the way. */
  readonly tracing: boolean;
}

/** The same ports, measured and traced. */
export const observed = (ports: Ports, { meters, tracing }: Observers): Ports => {
  const { queue, log, projection, reads } = tracing ? traced(ports) : ports;
  return {
    queue: measuredQueue(queue, meters),
    log: measuredEventLog(log, meters),
    projection: measuredProjection(projection, meters),
    reads: measuredReads(reads, meters),
  };
};

const traced = ({ queue, log, projection, reads }: Ports): Ports => ({
  queue,
  log: tracedEventLog(log),
  projection: tracedProjection(projection),
  reads: tracedReads(reads),
});
