import { Context as Services, Effect, Result } from "effect";
import { z } from "zod";

import { Admission } from "../../../core/command/admission.ts";
import { BATCH_EVENTS_MAX } from "../../../core/command/decode_batch.ts";
import { recordEvents } from "../../../core/command/record_events.ts";
import { clientOf, principalOf } from "../access/principal.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { readBody } from "../request/body.ts";
import { problemOf } from "../response/problem.ts";
import { sendProblem } from "../response/reply.ts";
import { HOUR_MS } from "./example.ts";
import { queued, uuid } from "./fields.ts";
import type { ApiParts, Route } from "./route.ts";

const Accepted = z.object({
  statusCode: z.literal(202),
  jobId: uuid.meta({ description: "The job to follow: `GET /jobs/{id}`." }),
  queued,
});

/** Accepts a batch of events into the queue. */
export const postEvents: Route<ApiParts> = {
  method: "post",
  path: "/events",
  access: { scopes: ["write"] },
  schemas: { Accepted },

  operation: ({ first, second, jobId }) => ({
    operationId: "recordEvents",
    tag: "Events",
    summary: "Record events",
    description:
      `Records 1 to ${BATCH_EVENTS_MAX} events, in at most ${BODY_BYTES_MAX / 1_048_576} MiB before and after decompression. ` +
      "The response is sent once they are committed to the queue. From then on each is counted exactly once, whatever fails.\n\n" +
      "One invalid event rejects the whole request, and nothing of it is stored. Sending the same events again is always " +
      "safe, for example after a lost response.",
    headers: [
      {
        name: "Content-Encoding",
        in: "header",
        required: false,
        description: "How the body is compressed, if it is.",
        schema: { type: "string", enum: ["identity", "gzip", "deflate", "br"] },
      },
    ],
    body: {
      description: "The events, in UTF-8.",
      schema: schemaRef("Batch"),
      example: {
        events: [
          {
            event_id: first.eventId,
            account_id: second.accountId,
            user_id: first.userId,
            type: first.type,
            timestamp: `${localTime(second.occurredAt)}Z`,
          },
          {
            event_id: second.eventId,
            account_id: second.accountId,
            user_id: second.userId,
            type: second.type,
            timestamp: `${localTime(second.occurredAt + HOUR_MS)}+01:00`,
            metadata: { plan: "pro" },
          },
        ],
      },
    },
    answers: {
      202: {
        description: "The events are committed and will be counted.",
        headers: {
          Location: {
            description: "The job to follow: `/jobs/{id}`.",
            required: true,
            schema: { type: "string", format: "uri-reference" },
          },
        },
        content: {
          schema: schemaRef("Accepted"),
          example: { statusCode: 202, jobId, queued: 2 } satisfies z.input<typeof Accepted>,
        },
        links: {
          job: {
            operationId: "findJob",
            description: "The job that processes the events.",
            parameters: { id: "$response.body#/jobId" },
          },
        },
      },
    },
    failures: [
      "JsonMalformed",
      "BodyNotInflatable",
      "BatchMalformed",
      "BatchEmpty",
      "BatchTooLarge",
      "BatchBytesExceeded",
      "BatchTooComplex",
      "EventInvalid",
      "AccountsForbidden",
      "BodyTooLarge",
      "BodyFragmented",
      "BodyShareExceeded",
      "ContentTypeUnsupported",
      "ContentEncodingUnsupported",
      "QuotaExceeded",
      "TurnRefused",
      "QueueFull",
      "QueueUnavailable",
      "DeadlineExceeded",
    ],
  }),

  handler: ({ services, respond, bodies }) => {
    const admission = Services.get(services, Admission);
    return async (ctx) => {
      const client = clientOf(ctx);
      const refusal = admission.refusal(Date.now(), client);
      // Refused before its body is read.
      if (refusal !== undefined) return sendProblem(ctx, problemOf(refusal));
      const received = await readBody(bodies, ctx.req, client);
      const command = Effect.flatMap(Effect.fromResult(received), (body) =>
        recordEvents(body, principalOf(ctx)),
      );
      try {
        await respond(
          ctx,
          Effect.map(command, ({ jobId, queued: events }) => ({
            status: 202,
            headers: { Location: `/jobs/${jobId}` },
            body: { statusCode: 202, jobId, queued: events } satisfies z.input<typeof Accepted>,
          })),
        );
      } finally {
        // The command never ran if the client left before.
        if (Result.isSuccess(received)) received.success.release();
      }
      return undefined;
    };
  },
};

/** The first part of an ISO 8601 timestamp, without fraction and offset. */
const localTime = (ms: number): string => new Date(ms).toISOString().slice(0, -".000Z".length);
