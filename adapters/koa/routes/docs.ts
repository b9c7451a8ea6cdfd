import { ETAG, IF_NONE_MATCH } from "../openapi/operation.ts";
import { referencePage } from "../openapi/reference/page.ts";
import { constantReply, sendReply } from "../response/reply.ts";
import type { ApiParts, Route } from "./route.ts";

export const getDocs: Route<ApiParts> = {
  method: "get",
  path: "/docs",
  access: "public",

  operation: () => ({
    operationId: "docs",
    tag: "Service",
    summary: "API reference",
    description: "Shows this document as a page on which every operation can be tried.",
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "An HTML page that loads nothing from other hosts.",
        headers: ETAG,
        content: {
          type: "text/html",
          schema: { type: "string" },
          example: "<!doctype html>…",
        },
      },
      304: { description: "The client already has the current page.", headers: ETAG },
    },
    failures: [],
  }),

  handler: ({ document }) => {
    const page = referencePage(document);
    const reply = constantReply(page.html, "text/html; charset=utf-8", {
      "Content-Security-Policy": page.contentSecurityPolicy,
    });
    return (ctx) => {
      if (!ctx.path.endsWith("/")) return sendReply(ctx, reply);
      // From here relative links would lead elsewhere. Relative, to work below a path of a proxy.
      return sendReply(ctx, { status: 308, headers: { Location: "../docs" } });
    };
  },
};
