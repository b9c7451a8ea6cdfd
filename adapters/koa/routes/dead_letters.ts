import { Effect, Option } from "effect";
import type { Context } from "koa";
import { z } from "zod";

import { formatTimestamp } from "../../../core/event/timestamp.ts";
import {
  type DeadLetter,
  type DeadLetterContent,
  DeadLetters,
} from "../../../core/queue/dead_letters.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { NO_STORE, READ_FAILURES } from "../openapi/operation.ts";
import { pathParameter, positiveIntegerUpTo, readQuery } from "../request/parameters.ts";
import { type RequestFault, shownId } from "../response/problem.ts";
import { uncached } from "../response/reply.ts";
import { type Example, HOUR_MS } from "./example.ts";
import { count, failure, instant, retries, SentEvent, sentEvent, uuid } from "./fields.ts";
import { type ApiParts, respondWith, type Route } from "./route.ts";

const LISTED_DEFAULT = 100;
const LISTED_MAX = 1_000;

const PARAMETERS = z.strictObject({
  limit: positiveIntegerUpTo(LISTED_MAX)
    .default(LISTED_DEFAULT)
    .meta({ description: "Maximum number of dead letters in the list.", example: 100 }),
});

const ListedDeadLetter = z.object({
  id: uuid.meta({
    description: "The ID of its job, or a separate ID if several jobs died together.",
  }),
  events: count.nullable().meta({
    description: "Number of events in it; null if it cannot be determined.",
  }),
  retries,
  failure,
  queued_at: instant,
  died_at: instant,
});

const DeadLetterPage = z.object({
  dead_letters: z.array(ListedDeadLetter),
  more: z.boolean().meta({ description: "Whether there are more than these." }),
});

const DeadLetterBody = ListedDeadLetter.extend({
  jobs: z
    .array(z.object({ job_id: uuid, events: z.array(SentEvent) }))
    .nullable()
    .meta({ description: "Its jobs and their events; null if this version cannot read them." }),
});

const Redriven = z.object({
  id: z.string().meta({ description: "The ID from the request." }),
});

const listed = (letter: DeadLetter): z.input<typeof ListedDeadLetter> => ({
  id: letter.id,
  events: letter.events,
  retries: letter.retries,
  failure: letter.failure,
  queued_at: formatTimestamp(letter.queuedAt),
  died_at: formatTimestamp(letter.diedAt),
});

export const deadLettersBody = (
  letters: ReadonlyArray<DeadLetter>,
  more: boolean,
): z.input<typeof DeadLetterPage> => ({ dead_letters: letters.map(listed), more });

export const deadLetterBody = ({
  letter,
  jobs,
}: DeadLetterContent): z.input<typeof DeadLetterBody> => ({
  ...listed(letter),
  jobs: jobs?.map(({ id, batch }) => ({ job_id: id, events: batch.events.map(sentEvent) })) ?? null,
});

const exampleLetter = ({ jobId, now }: Example): DeadLetter => ({
  id: jobId,
  events: 1,
  retries: 30,
  failure: "the log is unavailable",
  queuedAt: now,
  diedAt: now + 2 * HOUR_MS,
});

const TAG = "Dead letters";

/** An operator acts on the events of all accounts. */
const ACCESS = { scopes: ["admin"], accounts: "all" } as const;

const idParameter = ({ jobId }: Example) => ({
  id: {
    description: "The `id` of a dead letter, or of a job in it.",
    schema: { type: "string", minLength: 1 },
    example: jobId,
  },
});

const failed = (id: string): Effect.Effect<never, RequestFault> =>
  Effect.fail({ _tag: "DeadLetterUnknown", id: shownId(id) });

export const getDeadLetters: Route<ApiParts> = {
  method: "get",
  path: "/dead-letters",
  access: ACCESS,
  // Not DeadLetters: generated Python cannot have a model with the name of its own field.
  schemas: { DeadLetterPage, ListedDeadLetter },

  operation: (example) => ({
    operationId: "listDeadLetters",
    tag: TAG,
    summary: "List dead letters",
    description: "Lists dead letters, oldest first.",
    query: PARAMETERS,
    answers: {
      200: {
        description: "The oldest dead letters.",
        headers: NO_STORE,
        content: {
          schema: schemaRef("DeadLetterPage"),
          example: deadLettersBody([exampleLetter(example)], false),
        },
        links: {
          oldest: {
            operationId: "findDeadLetter",
            description: "The first of them, with its events.",
            parameters: { id: "$response.body#/dead_letters/0/id" },
          },
        },
      },
    },
    failures: [...READ_FAILURES, "QueueUnavailable"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const { limit } = yield* Effect.fromResult(readQuery(PARAMETERS, ctx.querystring));
      const letters = yield* DeadLetters;
      // One more than requested shows whether there are more.
      const found = yield* letters.list(limit + 1);
      return uncached(deadLettersBody(found.slice(0, limit), found.length > limit));
    }),
  ),
};

export const getDeadLetter: Route<ApiParts> = {
  method: "get",
  path: "/dead-letters/{id}",
  access: ACCESS,
  schemas: { DeadLetter: DeadLetterBody, DeadEvent: SentEvent },

  operation: (example) => ({
    operationId: "findDeadLetter",
    tag: TAG,
    summary: "Inspect a dead letter",
    description: "Returns why it died, and its events.",
    pathParameters: idParameter(example),
    answers: {
      200: {
        description: "The dead letter.",
        headers: NO_STORE,
        content: {
          schema: schemaRef("DeadLetter"),
          example: deadLetterBody({
            letter: exampleLetter(example),
            jobs: [
              {
                id: example.jobId,
                batch: { events: [example.second], duplicates: 0, conflicts: 0 },
              },
            ],
            payload: null,
          }),
        },
        links: {
          redrive: {
            operationId: "redriveDeadLetter",
            description: "Puts it back into the queue.",
            parameters: { id: "$response.body#/id" },
          },
          drop: {
            operationId: "dropDeadLetter",
            description: "Deletes it permanently.",
            parameters: { id: "$response.body#/id" },
          },
        },
      },
    },
    failures: ["DeadLetterUnknown", ...READ_FAILURES, "QueueUnavailable"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const id = pathParameter(ctx, "id");
      const letters = yield* DeadLetters;
      const found = yield* letters.find(id);
      return Option.isSome(found) ? uncached(deadLetterBody(found.value)) : yield* failed(id);
    }),
  ),
};

export const redriveDeadLetter: Route<ApiParts> = {
  method: "post",
  path: "/dead-letters/{id}/redrive",
  access: ACCESS,
  schemas: { Redriven },

  operation: (example) => ({
    operationId: "redriveDeadLetter",
    tag: TAG,
    summary: "Redrive a dead letter",
    description:
      "Puts it back into the queue: its jobs keep their IDs and get all their attempts again. Events that are already in the " +
      "log are recognised as duplicates.",
    pathParameters: idParameter(example),
    answers: {
      202: {
        description: "It is in the queue again.",
        content: {
          schema: schemaRef("Redriven"),
          example: { id: example.jobId } satisfies z.input<typeof Redriven>,
        },
      },
    },
    failures: ["DeadLetterUnknown", "QueueUnavailable", "DeadlineExceeded"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const id = pathParameter(ctx, "id");
      const letters = yield* DeadLetters;
      if (!(yield* letters.redrive(id))) return yield* failed(id);
      return { status: 202, body: { id } };
    }),
  ),
};

export const deleteDeadLetter: Route<ApiParts> = {
  method: "delete",
  path: "/dead-letters/{id}",
  access: ACCESS,

  operation: (example) => ({
    operationId: "dropDeadLetter",
    tag: TAG,
    summary: "Drop a dead letter",
    description:
      "Deletes it and its events permanently. They were accepted, but will never be counted.",
    pathParameters: idParameter(example),
    answers: { 204: { description: "It is deleted." } },
    failures: ["DeadLetterUnknown", "QueueUnavailable", "DeadlineExceeded"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const id = pathParameter(ctx, "id");
      const letters = yield* DeadLetters;
      return (yield* letters.drop(id)) ? { status: 204 } : yield* failed(id);
    }),
  ),
};
