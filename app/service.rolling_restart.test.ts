import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { freePort } from "../scripts/test/free_port.ts";
import { until } from "../scripts/test/patience.ts";
import { anEvent } from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";
import { startTcpBalancer } from "./tcp_balancer.fixture.ts";

const test = suite<{ database: TestDatabase }>("a rolling restart");

test.before(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after(async ({ database }) => {
  await database.drop();
});

const CLIENTS = 40;

/**
 * The longest pause between two requests of a client: some connections are always idle when a
 * process closes them.
 */
const REST_MAX_MS = 60;

/** Much longer than the balancer takes to notice, even on a busy machine. */
const SHUTDOWN_DELAY_MS = "2000";

/** A client that keeps its connection for as long as possible, and retries nothing. */
const startClient = (url: string, number: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const failures: string[] = [];
  let sent = 0;
  let lastClosing = 0;
  const stopping = new AbortController();

  const send = (): Promise<void> => {
    const writes = number % 2 === 0;
    const body = writes ? JSON.stringify({ events: [anEvent()] }) : "";
    return new Promise((resolve) => {
      const fail = (why: string): void => {
        failures.push(`client ${number}, request ${sent}: ${why}`);
        resolve();
      };
      const asked = request(`${url}${writes ? "/events" : `/accounts/a${number}/summary`}`, {
        agent,
        method: writes ? "POST" : "GET",
        headers: writes
          ? { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }
          : {},
      });
      asked.on("error", (error) => fail(error.message));
      asked.on("response", (answer: IncomingMessage) => {
        answer.on("error", (error) => fail(error.message));
        answer.resume();
        answer.on("end", () => {
          if (answer.headers.connection === "close") lastClosing++;
          if (answer.statusCode === (writes ? 202 : 200)) resolve();
          else fail(`status ${answer.statusCode}`);
        });
      });
      asked.end(body);
    });
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await send();
      sent++;
      // Deterministic, and different for each client.
      await sleep((number * 7 + sent * 13) % REST_MAX_MS);
    }
    agent.destroy();
  };
  const ended = run();
  return {
    failures,
    sent: () => sent,
    closings: () => lastClosing,
    stop: async (): Promise<void> => {
      stopping.abort();
      await ended;
    },
  };
};

test("40 keep-alive clients see no reset and no refusal while one of two processes behind a proxy restarts", async ({
  database,
}) => {
  const ports = [await freePort(), await freePort()];
  const start = (port: number) =>
    startService({
      DATABASE_URL: database.url,
      PORT: String(port),
      SHUTDOWN_DELAY_MS,
      DATABASE_CONNECTIONS_MAX: "20",
      // The test must not run into the rate limit.
      RATE_LIMIT_ANONYMOUS: "1000000",
    });
  const [first = 0, second = 0] = ports;
  // One after the other, so that only the first migrates.
  let restarted = start(first);
  await restarted.url();
  const other = start(second);
  await other.url();
  const balancer = await startTcpBalancer(ports);
  const clients = Array.from({ length: CLIENTS }, (_, number) => startClient(balancer.url, number));
  const allHaveSent = (count: number): Promise<void> => {
    const before = clients.map((client) => client.sent());
    return until(
      async () => clients.every((client, i) => client.sent() >= (before[i] ?? 0) + count),
      `not all clients went on`,
    );
  };
  try {
    assert.is(balancer.ready().size, 2);
    await allHaveSent(5);
    restarted.kill("SIGTERM");
    assert.is(await restarted.ended, 0, restarted.output());
    restarted = start(first);
    await restarted.url();
    await until(async () => balancer.ready().size === 2, "it is not taken in again");
    await allHaveSent(5);
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    balancer.close();
  }
  assert.equal(
    clients.flatMap((client) => client.failures),
    [],
  );
  // Half of the clients were connected to the process that ended, and a response told each to
  // close.
  const closings = clients.reduce((sum, client) => sum + client.closings(), 0);
  assert.ok(closings >= CLIENTS / 2, `${closings} answers closed their connection`);
  assert.is(await restarted.stop(), 0);
  assert.is(await other.stop(), 0);
});

test("once a service stops, responses to earlier requests close their connections as well", async ({
  database,
}) => {
  const service = startService({ DATABASE_URL: database.url, SHUTDOWN_DELAY_MS });
  const url = await service.url();
  const agent = new Agent({ keepAlive: true });
  const body = JSON.stringify({ events: [anEvent()] });
  const begun = request(`${url}/events`, {
    agent,
    method: "POST",
    headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
  });
  begun.write(body.slice(0, 10));
  await until(async () => (begun.socket?.bytesWritten ?? 0) > 10, "nothing was sent");
  // A later request on another connection was answered, so the headers of this one were read.
  await (await fetch(`${url}/healthz`)).arrayBuffer();
  service.kill("SIGTERM");
  await service.prints(/stopping/);
  const notReady = async () => (await fetch(`${url}/readyz`)).status === 503;
  await until(notReady, "it is ready");
  begun.end(body.slice(10));
  const [answer] = (await once(begun, "response")) as [IncomingMessage];
  answer.resume();
  assert.is(answer.statusCode, 202);
  assert.is(answer.headers.connection, "close");
  assert.is(await service.ended, 0);
  agent.destroy();
});

test.run();
