import { Effect, Option } from "effect";

import { queuedIn } from "../../../core/event/batch.ts";
import { identityOf } from "../../../core/event/event.ts";
import type { StoredJob } from "./backend.fixture.ts";
import { complain, type Complaint } from "./complaint.fixture.ts";
import { isCalm } from "./conditions.fixture.ts";
import { isUnstorable } from "./poison.fixture.ts";
import type { World } from "./world.fixture.ts";

/** Holds every job against what was in it, and all of them together against the log. */
export const judgeJobs = Effect.fnUntraced(function* ({ backend, ledger, conditions }: World) {
  const unended: string[] = [];
  const wronglyDead: string[] = [];
  const miscounted: string[] = [];
  const counted: CountedJob[] = [];

  for (const [id, { name, batch }] of backend.jobs) {
    const status = Option.getOrThrow(yield* Effect.orDie(backend.queue.find(id)));
    const { state, queued, retries, failure } = status;
    const isPoison = batch.events.some(isUnstorable);
    const told = `${name} is ${state}, ${failure ?? "without a failure"}`;
    if (state !== "completed" && state !== "dead") unended.push(told);
    else if ((state === "dead") !== isPoison) wronglyDead.push(told);
    if (state === "completed") counted.push({ name, batch, appended: status.appended });

    const sum = status.appended + status.duplicates + status.conflicts;
    if (sum !== (state === "completed" ? queued : 0) || queued !== queuedIn(batch)) {
      miscounted.push(`${name} counts ${sum} of ${queued}`);
    }
    if (isCalm(conditions) && retries > 0) miscounted.push(`${name} came again for no reason`);
  }

  for (const { events, outcome } of ledger.requests) {
    if (outcome._tag !== "Accepted") continue;
    const { jobId, queued } = outcome.accepted;
    if (!backend.jobs.has(jobId)) unended.push(`${jobId} was accepted and is unknown`);
    if (queued !== events.length) miscounted.push(`${jobId} queued ${queued} of ${events.length}`);
  }

  for (const group of groupsOf(counted)) {
    const identities = new Set(group.flatMap(({ batch }) => batch.events.map(identityOf)));
    const appended = group.reduce((sum, job) => sum + job.appended, 0);
    // A job whose worker died before settling finds its own events in the log: then it is fewer.
    if (appended > identities.size || (isCalm(conditions) && appended < identities.size)) {
      const names = group.map(({ name }) => name).join(", ");
      miscounted.push(`${names} appended ${appended} of ${identities.size} events`);
    }
  }
  const complaints: ReadonlyArray<Complaint> = [
    ...complain("everything drains", unended),
    ...complain("only what cannot be stored is dead", wronglyDead),
    ...complain("the counts of jobs add up", miscounted),
  ];
  return complaints;
});

interface CountedJob extends StoredJob {
  readonly appended: number;
}

/** Jobs that hold the same events, directly or over others: only together they say what was appended. */
const groupsOf = (jobs: ReadonlyArray<CountedJob>): ReadonlyArray<ReadonlyArray<CountedJob>> => {
  const groups = new Map<string, CountedJob[]>();
  for (const job of jobs) {
    const identities = job.batch.events.map(identityOf);
    const met = new Set(identities.flatMap((identity) => groups.get(identity) ?? []));
    const joined = [...met, job];
    for (const one of joined) {
      for (const event of one.batch.events) groups.set(identityOf(event), joined);
    }
  }
  return [...new Set(groups.values())];
};
