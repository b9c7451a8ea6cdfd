import type { AddressInfo } from "node:net";

import Koa from "koa";

/** The reference for accepting: a bare koa that reads a body of JSON and answers 202. Prints its port. */
const app = new Koa();
app.use(async (ctx) => {
  const chunks: Buffer[] = [];
  for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
  const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { events: unknown[] };
  ctx.status = 202;
  ctx.body = { statusCode: 202, queued: events.length };
});
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
