import type { AddressInfo } from "node:net";

import Router from "@koa/router";
import Koa from "koa";

/**
 * The reference for hot reads: a bare koa and router that serve one body from memory. Takes the body as
 * its argument and prints its port.
 */
const body = process.argv[2] ?? "";
const router = new Router();
router.get("/accounts/:id/summary", (ctx) => {
  ctx.type = "application/json; charset=utf-8";
  ctx.body = body;
});
const app = new Koa();
app.use(router.routes());
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
