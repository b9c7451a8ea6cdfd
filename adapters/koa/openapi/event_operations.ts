import { BATCH_EVENTS_MAX } from "../../../core/command/decode_batch.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import type { exampleBodies } from "./examples.ts";
import { LOCATION, NO_STORE } from "./headers.ts";
import { schemaRef } from "./json_schema.ts";
import type { Operation } from "./operation.ts";

/** The command, and what became of it. */
export const eventOperations = (
  examples: ReturnType<typeof exampleBodies>,
): ReadonlyArray<Operation> => [
  {
    method: "post",
    path: "/events",
    operationId: "recordEvents",
    tag: "Events",
    summary: "Record events",
    description:
      `Takes 1 to ${BATCH_EVENTS_MAX} events, in at most ${BODY_BYTES_MAX / 1_048_576} MiB before and after decompression. ` +
      "The answer comes after they are committed to the queue: from then on each is counted exactly once, whatever happens.\n\n" +
      "One invalid event refuses the whole request, and nothing of it is stored. Sending the same events again is always " +
      "safe, also when an answer was lost.",
    scopes: ["write"],
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
      example: examples.batch,
    },
    answers: {
      202: {
        description: "The events are committed, and will be counted.",
        headers: LOCATION,
        content: { schema: schemaRef("Accepted"), example: examples.accepted },
        links: {
          job: {
            operationId: "findJob",
            description: "What becomes of the events.",
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
  },
  {
    method: "get",
    path: "/jobs/{id}",
    operationId: "findJob",
    tag: "Events",
    summary: "Follow a job",
    description:
      "What became of the events of one request. A job is forgotten some 15 minutes after its end, and a dead one when " +
      "somebody has dealt with it. A job of accounts that the key is not for is not told from one that never was.",
    scopes: ["write", "read"],
    pathParameters: {
      id: {
        description: "The `jobId` of a 202.",
        schema: { type: "string", minLength: 1 },
        example: examples.accepted.jobId,
      },
    },
    answers: {
      200: {
        description: "Where the job is.",
        headers: NO_STORE,
        content: { schema: schemaRef("Job"), example: examples.job },
      },
    },
    failures: ["JobUnknown", "TooManyReads", "ReadsFull", "QueueUnavailable", "DeadlineExceeded"],
  },
];
