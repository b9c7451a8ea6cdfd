import type { AddressInfo } from "node:net";

import Router from "@koa/router";
import Koa from "koa";

/**
 * The references: with a body as its argument, a bare koa and router that serve the body from
 * memory, for hot reads; without one, a bare koa that parses JSON and answers 202, for writes.
 * Prints its port.
 */
const [body] = process.argv.slice(2);
const app = new Koa();
if (body === undefined) {
  app.use(async (ctx) => {
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
    const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { events: unknown[] };
    ctx.status = 202;
    ctx.body = { statusCode: 202, queued: events.length };
  });
} else {
  const router = new Router();
  router.get("/accounts/:id/summary", (ctx) => {
    ctx.type = "application/json; charset=utf-8";
    ctx.body = body;
  });
  app.use(router.routes());
}
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
