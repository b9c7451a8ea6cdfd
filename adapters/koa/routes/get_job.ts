import { Effect, Option } from "effect";
import { z } from "zod";

import { covers } from "../../../core/access/principal.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import { type JobStatus, Queue } from "../../../core/queue/queue.ts";
import { principalOf } from "../access/principal.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { NO_STORE, READ_FAILURES } from "../openapi/operation.ts";
import { pathParameter } from "../request/parameters.ts";
import { shownId } from "../response/problem.ts";
import { uncached } from "../response/reply.ts";
import { count, failure, instant, queued, retries, uuid } from "./fields.ts";
import { type ApiParts, respondWith, type Route } from "./route.ts";

const Job = z.object({
  job_id: uuid,
  state: z.enum(["queued", "processing", "retrying", "completed", "dead"]).meta({
    description:
      "`queued`: waits for a worker. `processing`: a worker has fetched it. `retrying`: an attempt failed, and another follows. `completed`: its events are in the log. `dead`: every attempt failed, and an operator has to act.",
  }),
  queued,
  appended: count.meta({ description: "Events that this job appended to the log." }),
  duplicates: count.meta({ description: "Events that were already in the log, unchanged." }),
  conflicts: count.meta({
    description: "Events whose ID was already in the log with a different payload, which is kept.",
  }),
  retries,
  queued_at: instant,
  ended_at: instant.nullable(),
  failure,
});

const jobBody = (job: JobStatus): z.input<typeof Job> => ({
  job_id: job.jobId,
  state: job.state,
  queued: job.queued,
  appended: job.appended,
  duplicates: job.duplicates,
  conflicts: job.conflicts,
  retries: job.retries,
  queued_at: formatTimestamp(job.queuedAt),
  ended_at: job.endedAt === null ? null : formatTimestamp(job.endedAt),
  failure: job.failure,
});

/** Reports what became of the events of one request. */
export const getJob: Route<ApiParts> = {
  method: "get",
  path: "/jobs/{id}",
  // The sender of a job may follow it.
  access: { scopes: ["write", "read"] },
  schemas: { Job },

  operation: ({ jobId, now }) => ({
    operationId: "findJob",
    tag: "Events",
    summary: "Follow a job",
    description:
      "Reports what became of the events of one request. A job is kept for about 15 minutes after it ends, and a dead one " +
      "until an operator has dealt with it. A job with accounts that the key does not grant access to is reported as unknown.",
    pathParameters: {
      id: {
        description: "The `jobId` of a 202 response.",
        schema: { type: "string", minLength: 1 },
        example: jobId,
      },
    },
    answers: {
      200: {
        description: "The state of the job.",
        headers: NO_STORE,
        content: {
          schema: schemaRef("Job"),
          example: jobBody({
            jobId,
            accountIds: ["acme"],
            state: "completed",
            queued: 2,
            appended: 2,
            duplicates: 0,
            conflicts: 0,
            retries: 0,
            queuedAt: now,
            endedAt: now + 23,
            failure: null,
          }),
        },
      },
    },
    failures: ["JobUnknown", ...READ_FAILURES, "QueueUnavailable"],
  }),

  handler: respondWith((ctx) => {
    const id = pathParameter(ctx, "id");
    const principal = principalOf(ctx);
    const found = Effect.flatMap(Queue, (queue) => queue.find(id));
    return Effect.flatMap(found, (job) =>
      Option.isSome(job) && job.value.accountIds.every((account) => covers(principal, account))
        ? Effect.succeed(uncached(jobBody(job.value)))
        : Effect.fail({ _tag: "JobUnknown" as const, id: shownId(id) }),
    );
  }),
};
