import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Connection, openConnection } from "../adapters/koa/server/connection.fixture.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { anEvent, untilLogins } from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";

interface Context {
  database: TestDatabase;
}

const test = suite<Context>("a shutdown");

test.before(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after(async ({ database }) => {
  await database.drop();
});

/** A client whose request the service has started to read. */
const beginRequest = async (
  url: string,
): Promise<{ readonly connection: Connection; readonly rest: string }> => {
  const body = JSON.stringify({ events: [anEvent()] });
  const head =
    "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${body.length}\r\n\r\n`;
  const connection = await openConnection(url);
  // The first request was answered, so what came with it was read.
  connection.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n${head}${body.slice(0, 10)}`);
  assert.is((await connection.answer())?.status, 200);
  return { connection, rest: body.slice(10) };
};

test("on SIGTERM and SIGINT, requests in flight are answered, the exit code is 0, and nothing is lost", async ({
  database,
}) => {
  const settings = { DATABASE_URL: database.url };
  let logins = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const service = startService(settings);
    const url = await service.url();
    const clients = await Promise.all(Array.from({ length: 5 }, () => beginRequest(url)));
    service.kill(signal);
    await service.prints(/stopping/);
    for (const { connection, rest } of clients) connection.write(rest);
    for (const { connection } of clients) {
      assert.is((await connection.answer())?.status, 202);
      await connection.closed();
    }
    logins += clients.length;
    assert.is(await service.ended, 0);
  }
  const next = startService(settings);
  await untilLogins(await next.url(), logins);
  assert.is(await next.stop(), 0);
});

test("a stopping service tells clients that are still connected that it is not ready", async (context) => {
  const service = startService({ DATABASE_URL: context.database.url });
  const url = await service.url();
  const { connection: holding } = await beginRequest(url);
  const asking = await openConnection(url);
  asking.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: ");
  assert.is((await asking.answer())?.status, 200);
  service.kill("SIGTERM");
  await service.prints(/stopping/);
  asking.write("localhost\r\n\r\n");
  const readyz = await asking.answer();
  assert.ok(readyz);
  assert.is(readyz.status, 503);
  assert.match(readyz.body, '"stopping"');
  assert.is(readyz.headers["connection"], "close");
  holding.reset();
  assert.is(await service.ended, 0);
});

test("a client that never completes its request is cut off in time for a clean end", async (context) => {
  const SHUTDOWN_TIMEOUT_MS = "2000";
  const service = startService({ DATABASE_URL: context.database.url, SHUTDOWN_TIMEOUT_MS });
  const { connection } = await beginRequest(await service.url());
  assert.is(await service.stop(), 0);
  await connection.closed();
});

test("a second signal ends the process immediately", async (context) => {
  const SHUTDOWN_TIMEOUT_MS = "600000";
  const service = startService({ DATABASE_URL: context.database.url, SHUTDOWN_TIMEOUT_MS });
  const { connection } = await beginRequest(await service.url());
  service.kill("SIGTERM");
  await service.prints(/SIGTERM: stopping\. Send it again to stop immediately\./);
  service.kill("SIGINT");
  assert.is(await service.ended, 1);
  connection.reset();
});

test("the process ends with the service, whatever a library left open", async (context) => {
  const NODE_OPTIONS = "--import=data:text/javascript,setInterval(()=>{},1e6)";
  const service = startService({ DATABASE_URL: context.database.url, NODE_OPTIONS });
  await service.url();
  assert.is(await service.stop(), 0, service.output());
});

test("after its time limit it gives up, and says what is still open", async (context) => {
  const SHUTDOWN_TIMEOUT_MS = "1";
  const service = startService({ DATABASE_URL: context.database.url, SHUTDOWN_TIMEOUT_MS });
  // It waits half of that time for the rest of this request, and a timer takes at least a
  // millisecond.
  const { connection } = await beginRequest(await service.url());
  assert.is(await service.stop(), 1, service.output());
  connection.reset();
  assert.match(service.output(), /Not stopped within 1 ms: giving up\. Still open: \S+/);
});

test.run();
