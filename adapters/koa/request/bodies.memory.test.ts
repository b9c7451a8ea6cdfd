import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { batchOf, postBytes, validEvent } from "../api.fixture.ts";
import { type Connection, openConnection } from "../server/connection.fixture.ts";

interface Context {
  server: ChildProcess;
  url: string;
}

const test = suite<Context>("memory under attack");

const MIB = 1024 * 1024;

/** Heap of the attacked process; V8 ends it when it needs more. */
const HEAP_MIB = 64;

test.before.each(async (context) => {
  const path = fileURLToPath(new URL("../api_process.fixture.ts", import.meta.url));
  const execArgv = [`--max-old-space-size=${HEAP_MIB}`];
  context.server = fork(path, { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [{ url }] = (await once(context.server, "message")) as [{ url: string }];
  context.url = url;
});
test.after.each(({ server }) => {
  if (server.connected) server.disconnect();
});

/** Resident memory of the process, in MiB. */
const resident = async ({ server }: Context): Promise<number> => {
  const over = new AbortController();
  server.send("how much?");
  const [answer] = (await Promise.race([
    once(server, "message", { signal: over.signal }),
    once(server, "exit", { signal: over.signal }),
  ])) as [{ rss: number } | number | null];
  over.abort();
  assert.ok(typeof answer === "object" && answer !== null, "the service ended");
  return answer.rss / MIB;
};

/** Posts an event from another address than the attackers', and asserts that it is accepted. */
const postBeside = async ({ url }: Context): Promise<void> => {
  const connection = await openConnection(url, "127.0.0.2");
  connection.write(postBytes(batchOf(validEvent())));
  assert.is((await connection.answer())?.status, 202);
  connection.reset();
};

/**
 * Posts during an attack until the service has read what the attackers sent: it reads from each
 * connection before it gets to the next post. Returns by how many MiB the process grew at most.
 */
const growthBeside = async (context: Context, before: number, posts: number): Promise<number> => {
  let most = 0;
  for (let i = 0; i < posts; i++) {
    await postBeside(context);
    most = Math.max(most, (await resident(context)) - before);
  }
  return most;
};

const open = (context: Context, count: number): Promise<Connection[]> =>
  Promise.all(Array.from({ length: count }, () => openConnection(context.url)));

/** A request with an endless body in chunks of one byte, of which so many are sent. */
const inSingleBytes = (line: string, chunks: number): Buffer =>
  Buffer.from(
    `${line} HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n${"1\r\n \r\n".repeat(chunks)}`,
  );

for (const [what, line] of [
  ["that are read", "POST /events"],
  ["that are ignored", "GET /jobs/01a20253-aa0c-79c1-b28a-b136a2df5001"],
] as const) {
  test(`endless bodies ${what} in one-byte chunks do not take 270 bytes per chunk`, async (context) => {
    const before = await resident(context);
    const connections = await open(context, 10);
    const bytes = inSingleBytes(line, 60_000);
    for (const connection of connections) await connection.flush(bytes);
    const grown = await growthBeside(context, before, 50);
    assert.ok(grown < 64, `${grown} MiB`);
    for (const connection of connections) connection.reset();
  });
}

test("small bodies that inflate to 1 MiB each get only a share of the memory, on any number of connections", async (context) => {
  const body = gzipSync(batchOf(validEvent()).padEnd(MIB, " "));
  const bytes = postBytes(body, { "Content-Encoding": "gzip" });
  const before = await resident(context);
  const connections = await open(context, 300);
  for (const connection of connections) connection.write(bytes);
  const grown = await growthBeside(context, before, 5);
  for (const connection of connections) {
    const status = (await connection.answer())?.status;
    assert.ok(status === 202 || status === 429, String(status));
    connection.reset();
  }
  assert.ok(grown < 160, `${grown} MiB`);
});

test("pipelined bodies are not inflated concurrently", async (context) => {
  const body = gzipSync(batchOf(validEvent()).padEnd(MIB, " "));
  const bytes = postBytes(body, { "Content-Encoding": "gzip" });
  const before = await resident(context);
  const [patient, hasty] = await open(context, 2);
  assert.ok(patient && hasty);
  patient.write(Buffer.concat(Array.from({ length: 20 }, () => bytes)));
  hasty.write(Buffer.concat(Array.from({ length: 1_000 }, () => bytes)));
  const grown = await growthBeside(context, before, 20);
  assert.ok(grown < 96, `${grown} MiB`);
  for (let i = 0; i < 20; i++) assert.is((await patient.answer())?.status, 202);
  patient.reset();
  hasty.reset();
});

test("thousands of pipelined requests on many connections do not fill the memory", async (context) => {
  const bytes = Buffer.from("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4_000));
  const before = await resident(context);
  const connections = await open(context, 100);
  for (const connection of connections) connection.write(bytes);
  const grown = await growthBeside(context, before, 5);
  assert.ok(grown < 64, `${grown} MiB`);
  for (const connection of connections) connection.reset();
});

test.run();
