import { type Capacity, type CapacityLimits, type Load, makeCapacity } from "./capacity.ts";

/** A load of nothing, but for what is given. */
export const aLoad = (load: Partial<Load> = {}): Load => ({
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
  capacity.beginRead().succeed(aLoad({ at: Number.MAX_SAFE_INTEGER }));
  return capacity;
};
