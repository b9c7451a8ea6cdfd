import { Effect } from "effect";

import type { PlantedBug } from "./plant.fixture.ts";

const keepsCharges: PlantedBug = {
  title: "an admission that keeps the quota of what was not accepted",
  breaks: "quotas spend what is accepted",
  quotas: (quotas) => ({ ...quotas, giveBack: () => Effect.void }),
};

const givesAllBack: PlantedBug = {
  title: "an admission that gives back the quota of what was accepted, too",
  breaks: "quotas spend what is accepted",
  quotas: (quotas) => ({
    ...quotas,
    take: (charges) => Effect.tap(quotas.take(charges), () => quotas.giveBack(charges)),
  }),
};

const failsOpen: PlantedBug = {
  title: "an admission that takes a backlog which it cannot read for an empty one",
  breaks: "nothing is accepted while nobody knows how much waits",
  capacity: (capacity) => ({
    ...capacity,
    refusal: (now, priority) =>
      capacity.isUnknown(now) ? undefined : capacity.refusal(now, priority),
  }),
};

/** Bugs in deciding what is accepted. */
export const PLANTED_ADMISSION: ReadonlyArray<PlantedBug> = [keepsCharges, givesAllBack, failsOpen];
