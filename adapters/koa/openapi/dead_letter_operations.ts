import { QUERY_PARAMETERS } from "../request/parameters.ts";
import type { exampleBodies } from "./examples.ts";
import { NO_STORE } from "./headers.ts";
import { schemaRef } from "./json_schema.ts";
import type { Operation } from "./operation.ts";

/** What an operator does about batches that could not be appended. */
export const deadLetterOperations = (
  examples: ReturnType<typeof exampleBodies>,
): ReadonlyArray<Operation> => {
  const { id } = examples.deadLetter;
  const pathParameters = {
    id: {
      description: "The `id` of a dead letter, or of a job that it holds.",
      schema: { type: "string", minLength: 1 },
      example: id,
    },
  };
  const shared = { tag: "Dead letters", scopes: ["admin"], pathParameters } as const;
  const failures = [
    "AccountForbidden",
    "DeadLetterUnknown",
    "QueueUnavailable",
    "DeadlineExceeded",
  ] as const;

  return [
    {
      method: "get",
      path: "/dead-letters",
      operationId: "listDeadLetters",
      tag: "Dead letters",
      summary: "List dead letters",
      description: "The oldest first.",
      scopes: ["admin"],
      query: QUERY_PARAMETERS.deadLetters,
      answers: {
        200: {
          description: "The oldest dead letters.",
          headers: NO_STORE,
          content: { schema: schemaRef("DeadLetterPage"), example: examples.deadLetters },
          links: {
            oldest: {
              operationId: "findDeadLetter",
              description: "The first of them, with its events.",
              parameters: { id: "$response.body#/dead_letters/0/id" },
            },
          },
        },
      },
      failures: [
        "ParametersInvalid",
        "AccountForbidden",
        "TooManyReads",
        "ReadsFull",
        "QueueUnavailable",
        "DeadlineExceeded",
      ],
    },
    {
      ...shared,
      method: "get",
      path: "/dead-letters/{id}",
      operationId: "findDeadLetter",
      summary: "Look at a dead letter",
      description: "Why it died, and the events that it holds.",
      answers: {
        200: {
          description: "The dead letter.",
          headers: NO_STORE,
          content: { schema: schemaRef("DeadLetter"), example: examples.deadLetter },
          links: {
            redrive: {
              operationId: "redriveDeadLetter",
              description: "Puts it back into the queue.",
              parameters: { id: "$response.body#/id" },
            },
            drop: {
              operationId: "dropDeadLetter",
              description: "Forgets it for good.",
              parameters: { id: "$response.body#/id" },
            },
          },
        },
      },
      failures: [...failures, "TooManyReads", "ReadsFull"],
    },
    {
      ...shared,
      method: "post",
      path: "/dead-letters/{id}/redrive",
      operationId: "redriveDeadLetter",
      summary: "Redrive a dead letter",
      description:
        "Puts it back into the queue, its jobs under their own ids and with all their attempts. Events that are in the log " +
        "already are recognised.",
      answers: {
        202: {
          description: "It is in the queue again.",
          content: { schema: schemaRef("Redriven"), example: { id } },
        },
      },
      failures,
    },
    {
      ...shared,
      method: "delete",
      path: "/dead-letters/{id}",
      operationId: "dropDeadLetter",
      summary: "Drop a dead letter",
      description:
        "Forgets it for good, and its events with it: they were accepted, and will never be counted.",
      answers: { 204: { description: "It is gone." } },
      failures,
    },
  ];
};
