import { type Capacity, type CapacityLimits, type LoadSample, makeCapacity } from "./capacity.ts";

/** A load of nothing, but for what is given. */
export const aLoadSample = (load: Partial<LoadSample> = {}): LoadSample => ({
  at: 0,
  queued: 0,
  appended: 0,
  folded: 0,
  ...load,
});

/** A capacity whose load is known, and stays so, however late it is and though nobody reads it again. */
export const knownCapacity = (
  limits: CapacityLimits = { queuedMax: 1_000_000, laggingMax: 1_000_000 },
): Capacity => {
  const capacity = makeCapacity(limits);
  capacity.beginRead().succeed(aLoadSample({ at: Number.MAX_SAFE_INTEGER }));
  return capacity;
};
