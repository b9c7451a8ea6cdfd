import { type Capacity, type CapacityLimits, type LoadSample, makeCapacity } from "./capacity.ts";

/** A sample of an empty backlog, except for the given fields. */
export const aLoadSample = (load: Partial<LoadSample> = {}): LoadSample => ({
  at: 0,
  queued: 0,
  appended: 0,
  folded: 0,
  ...load,
});

/** A capacity whose sample stays valid for ever. */
export const knownCapacity = (
  limits: CapacityLimits = { queuedMax: 1_000_000, laggingMax: 1_000_000 },
): Capacity => {
  const capacity = makeCapacity(limits);
  capacity.beginSample().succeed(aLoadSample({ at: Number.MAX_SAFE_INTEGER }));
  return capacity;
};
