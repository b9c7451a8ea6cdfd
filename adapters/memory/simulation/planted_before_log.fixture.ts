import { Effect } from "effect";

import { queuedIn } from "../../../core/event/batch.ts";
import { AppendRefused } from "../../../core/log/event_log.ts";
import type { Counts, Job, JobId, Acknowledgement } from "../../../core/queue/queue.ts";
import type { PlantedBug } from "./plant.fixture.ts";

/** How long a queue that is careless keeps what it has acknowledged. */
const BUFFERED_MS = 50;

const acknowledgesEarly: PlantedBug = {
  title: "a queue that acknowledges before it stores",
  breaks: "what was accepted is in the log",
  ports: (ports) => ({
    ...ports,
    queue: {
      ...ports.queue,
      enqueue: (batch) =>
        Effect.as(
          Effect.forkDetach(Effect.ignore(Effect.delay(ports.queue.enqueue(batch), BUFFERED_MS))),
          "acknowledged",
        ),
    },
  }),
};

const acknowledgesOnFetch: PlantedBug = {
  title: "a queue that acknowledges jobs when it hands them out",
  breaks: "what was accepted is in the log",
  backend: (backend) => ({
    ...backend,
    queue: {
      ...backend.queue,
      fetch: (eventsMax) =>
        Effect.tap(backend.queue.fetch(eventsMax), (jobs) =>
          backend.queue.acknowledge(jobs.map((job) => completed(job, allAppended(job)))),
        ),
    },
  }),
};

const neverLapses: PlantedBug = {
  title: "a queue that forgets the jobs of a worker that died",
  breaks: "everything drains",
  backend: (backend) => {
    const held = new Set<JobId>();
    return {
      ...backend,
      queue: {
        ...backend.queue,
        fetch: (eventsMax) =>
          Effect.map(backend.queue.fetch(eventsMax), (jobs) => {
            const free = jobs.filter(({ id }) => !held.has(id));
            for (const { id } of free) held.add(id);
            return free;
          }),
        acknowledge: (acknowledgements) =>
          Effect.tap(backend.queue.acknowledge(acknowledgements), () =>
            Effect.sync(() => {
              for (const { job } of acknowledgements) held.delete(job.id);
            }),
          ),
      },
    };
  },
};

const countsRedeliveries: PlantedBug = {
  title: "a worker that counts the events of a job again when the job comes again",
  breaks: "the counts of jobs add up",
  ports: (ports) => ({
    ...ports,
    queue: {
      ...ports.queue,
      acknowledge: (acknowledgements) =>
        ports.queue.acknowledge(
          acknowledgements.map((acknowledgement) =>
            acknowledgement._tag === "Completed" && acknowledgement.job.retries > 0
              ? completed(acknowledgement.job, allAppended(acknowledgement.job))
              : acknowledgement,
          ),
        ),
    },
  }),
};

const givesUpEarly: PlantedBug = {
  title: "a worker to which a log that is away has refused the job",
  breaks: "only what cannot be stored is dead",
  ports: (ports) => ({
    ...ports,
    log: {
      ...ports.log,
      append: (shard, events) =>
        Effect.catchTag(ports.log.append(shard, events), "LogUnavailable", ({ cause }) =>
          Effect.fail(new AppendRefused({ shard, cause })),
        ),
    },
  }),
};

/** Bugs between a client and the log. */
export const PLANTED_BEFORE_LOG: ReadonlyArray<PlantedBug> = [
  acknowledgesEarly,
  acknowledgesOnFetch,
  neverLapses,
  countsRedeliveries,
  givesUpEarly,
];

const completed = (job: Job, counts: Counts): Acknowledgement => ({
  _tag: "Completed",
  job,
  counts,
});

const allAppended = ({ batch }: Job): Counts => ({
  appended: queuedIn(batch),
  duplicates: 0,
  conflicts: 0,
});
