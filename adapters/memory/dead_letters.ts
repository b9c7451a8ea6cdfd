import { Effect, Option } from "effect";

import { present } from "../../core/invariant.ts";
import type { DeadLetter, DeadLetters } from "../../core/queue/dead_letters.ts";
import type { MemoryJob, MemoryJobs } from "./queue.ts";

/** The dead letters of a queue in memory, of one job each. */
export const makeMemoryDeadLetters = (jobs: MemoryJobs): DeadLetters["Service"] => {
  const find = (id: string): MemoryJob | undefined => {
    const job = jobs.get(id.toLowerCase());
    return job?.state === "dead" ? job : undefined;
  };

  /** Changes a letter; false if there is none. */
  const change = (id: string, act: (job: MemoryJob) => void): Effect.Effect<boolean> =>
    Effect.sync(() => {
      const job = find(id);
      if (job !== undefined) act(job);
      return job !== undefined;
    });

  return {
    list: (limit) =>
      Effect.sync(() =>
        [...jobs.values()]
          .filter(({ state }) => state === "dead")
          .map(letterOf)
          .toSorted((a, b) => a.diedAt - b.diedAt)
          .slice(0, limit),
      ),
    find: (id) =>
      Effect.sync(() =>
        Option.map(Option.fromUndefinedOr(find(id)), (job) => ({
          letter: letterOf(job),
          jobs: [{ id: job.id, batch: job.batch }],
          payload: job.batch,
        })),
      ),
    redrive: (id) =>
      change(id, (job) => {
        Object.assign(job, { state: "queued", retries: 0, endedAt: null, failure: null });
      }),
    drop: (id) => change(id, (job) => jobs.delete(job.id)),
  };
};

const letterOf = (job: MemoryJob): DeadLetter => ({
  id: job.id,
  events: job.batch.events.length,
  retries: job.retries,
  failure: job.failure,
  queuedAt: job.queuedAt,
  diedAt: present(job.endedAt, `the dead job ${job.id} has no end`),
});
