import { ETAG, IF_NONE_MATCH } from "../openapi/operation.ts";
import { constantReply, sendReply } from "../response/reply.ts";
import type { ApiParts, Route } from "./route.ts";

export const getOpenApi: Route<ApiParts> = {
  method: "get",
  path: "/openapi.json",
  access: "public",

  operation: () => ({
    operationId: "openapi",
    tag: "Service",
    summary: "OpenAPI document",
    description:
      "Returns the OpenAPI document of the running service, with the event types that it accepts.",
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "An OpenAPI 3.1 document.",
        headers: ETAG,
        content: {
          schema: {
            type: "object",
            required: ["openapi", "info", "paths"],
            properties: { openapi: { type: "string", pattern: "^3\\.1\\." } },
            additionalProperties: true,
          },
          example: { openapi: "3.1.1", info: { title: "Tidemark", version: "…" }, paths: {} },
        },
      },
      304: { description: "The client already has the current document.", headers: ETAG },
    },
    failures: [],
  }),

  handler: ({ document }) => {
    const reply = constantReply(JSON.stringify(document), "application/json; charset=utf-8");
    return (ctx) => sendReply(ctx, reply);
  },
};
