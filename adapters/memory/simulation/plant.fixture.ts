import type { Quotas } from "../../../core/access/quotas.ts";
import type { Capacity } from "../../../core/command/capacity.ts";
import type { Horizon } from "../../../core/query/horizon.ts";
import type { Backend } from "./backend.fixture.ts";
import type { Rule } from "./complaint.fixture.ts";
import type { Ports } from "./ports.fixture.ts";
import type { Wire } from "./wire.fixture.ts";

/** A bug that is planted into a world to see that it is caught: it replaces what it names. */
export interface Plant {
  /** What all processes share, replaced by a broken one. */
  readonly backend?: (backend: Backend) => Backend;
  /** What one process calls, replaced by something that calls wrongly. */
  readonly ports?: (ports: Ports, wire: Wire, backend: Backend) => Ports;
  /** What bounds senders, and what bounds the backlog. */
  readonly quotas?: (quotas: Quotas) => Quotas;
  readonly capacity?: (capacity: Capacity) => Capacity;
  /** What a process knows of the projection. */
  readonly horizon?: (horizon: Horizon) => Horizon;
}

/** The service as it is. */
export const NO_PLANT: Plant = {};

/** A plant that a test expects to be caught. */
export interface PlantedBug extends Plant {
  /** What it is, to be read after "the simulation catches". */
  readonly title: string;
  /** The rule by which it has to be caught. */
  readonly breaks: Rule;
}
