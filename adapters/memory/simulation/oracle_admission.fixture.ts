import { complain, type Complaint } from "./complaint.fixture.ts";
import type { Fleet } from "./fleet.fixture.ts";

/** Holds every process against what its admission promises. */
export const judgeAdmission = (fleet: Fleet): ReadonlyArray<Complaint> => {
  const blind = fleet.started().flatMap((process) => process.admitted().blind);
  // A process that died may have charged a batch and not come to the point of enqueueing it.
  const alive = [...fleet.running(), ...fleet.stopped()];
  const wronglyCharged = alive.flatMap((process) => {
    const { charged, enqueued } = process.admitted();
    return charged === enqueued
      ? []
      : [`${process.name} charged ${charged} events and enqueued ${enqueued}`];
  });
  return [
    ...complain("nothing is accepted while nobody knows how much waits", blind),
    ...complain("quotas spend what is accepted", wronglyCharged),
  ];
};
