import { hash } from "node:crypto";

import type Router from "@koa/router";

import type { EventRules } from "../../../core/event/rules.ts";
import { openApiDocument } from "./document.ts";
import { referencePage } from "./reference/page.ts";

/** Adds the OpenAPI document of the running service, and the page that shows it to people. */
export const addDocumentRoutes = (router: Router, rules: EventRules): void => {
  const document = openApiDocument(rules);
  const page = referencePage(document);
  serve(router, "/openapi.json", {
    text: JSON.stringify(document),
    type: "application/json; charset=utf-8",
  });
  serve(router, "/docs", {
    text: page.html,
    type: "text/html; charset=utf-8",
    headers: {
      "Content-Security-Policy": page.contentSecurityPolicy,
      "Referrer-Policy": "no-referrer",
    },
  });
};

interface Resource {
  readonly text: string;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers with a text that stays the same for as long as the process runs, or with 304 to who has it. The router takes
 * the path with a slash behind it, too, from where relative links would lead elsewhere.
 */
const serve = (router: Router, path: string, { text, type, headers = {} }: Resource): void => {
  const tag = `"${hash("sha1", text, "base64url")}"`;
  router.get(path, (ctx) => {
    if (ctx.path.endsWith("/")) {
      ctx.status = 308;
      // Relative as well, so that it works behind a proxy that puts the service below a path.
      ctx.set("Location", `..${path}`);
      return;
    }
    // The next process may have another, so it is asked for each time.
    ctx.set({ ...headers, ETag: tag, "Cache-Control": "no-cache" });
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.body = text;
    ctx.type = type;
  });
};
