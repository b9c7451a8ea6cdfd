import { Effect } from "effect";
import type { Context } from "koa";
import { z } from "zod";

import { Summaries } from "../../../core/summary/summaries.ts";
import { principalOf } from "../access/principal.ts";
import { schemaRef } from "../openapi/json_schema.ts";
import { READ_FAILURES } from "../openapi/operation.ts";
import { INTEGER, positiveInteger, readQuery } from "../request/parameters.ts";
import { identifier } from "./fields.ts";
import { type ApiParts, respondWith, type Route } from "./route.ts";

const SAMPLE_DEFAULT = 10;
const SAMPLE_MAX = 100;

const PARAMETERS = z.strictObject({
  limit: positiveInteger
    .transform((limit) => Math.min(limit, SAMPLE_MAX))
    .meta(INTEGER)
    .default(SAMPLE_DEFAULT)
    .meta({
      description: `Number of accounts. Values over ${SAMPLE_MAX} mean ${SAMPLE_MAX}.`,
      example: 10,
    }),
});

const Accounts = z.object({ account_ids: z.array(identifier) });

/** Names some accounts that have events. */
export const sampleAccounts: Route<ApiParts> = {
  method: "get",
  path: "/accounts/sample",
  access: { scopes: ["read"] },
  schemas: { Accounts },

  operation: () => ({
    operationId: "sampleAccounts",
    tag: "Accounts",
    summary: "Sample accounts",
    description: "Returns some accounts that have events and that the key grants access to.",
    query: PARAMETERS,
    answers: {
      200: {
        description: "The accounts.",
        content: {
          schema: schemaRef("Accounts"),
          example: { account_ids: ["acme", "globex"] } satisfies z.input<typeof Accounts>,
        },
        links: {
          summary: {
            operationId: "summariseAccount",
            description: "The summary of the first account.",
            parameters: { id: "$response.body#/account_ids/0" },
          },
        },
      },
    },
    failures: [...READ_FAILURES, "SummariesUnavailable"],
  }),

  handler: respondWith(
    Effect.fnUntraced(function* (ctx: Context) {
      const { limit } = yield* Effect.fromResult(readQuery(PARAMETERS, ctx.querystring));
      const { accounts } = principalOf(ctx);
      if (accounts._tag === "One") return { body: { account_ids: [accounts.accountId] } };
      const summaries = yield* Summaries;
      const prefix = accounts._tag === "Prefix" ? accounts.prefix : "";
      return { body: { account_ids: yield* summaries.sampleAccounts(limit, prefix) } };
    }),
  ),
};
