import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { failure, makeScratch, removeScratch } from "./embedded_postgres.fixture.ts";
import { isServerOf, readPostmasterPid, stopServer } from "./postmaster.ts";

const test = suite<{ folder: string; lookalike: ChildProcess }>("embedded_postgres/postmaster.pid");

test.before.each(async (context) => {
  context.folder = await makeScratch();
  await mkdir(join(context.folder, "a"));
  await mkdir(join(context.folder, "b"));
  // Has the command line of a server on folder a.
  const dirFlags = ["-D", join(context.folder, "a")];
  context.lookalike = spawn("sh", ["-c", "sleep 60; true", "postgres", ...dirFlags], {
    detached: true,
    stdio: "ignore",
  });
  await once(context.lookalike, "spawn");
});
test.after.each(async ({ folder, lookalike }) => {
  process.kill(-lookalike.pid!, "SIGKILL");
  await removeScratch(folder);
});

const record = (pid: number | undefined, clusterDir: string) => ({
  pid: pid!,
  clusterDir,
  port: 5432,
  ready: true,
});

test("a server is recognised in its own folder, also after the folder was moved", async ({
  folder,
  lookalike,
}) => {
  const claim = record(lookalike.pid, join(folder, "a"));
  assert.ok(await isServerOf(claim, join(folder, "a")));
  await rename(join(folder, "a"), join(folder, "moved"));
  assert.ok(await isServerOf(claim, join(folder, "moved")));
});

test("the server of the original is not mistaken for the server of a copy", async ({
  folder,
  lookalike,
}) => {
  assert.not.ok(await isServerOf(record(lookalike.pid, join(folder, "a")), join(folder, "b")));
});

test("another process with the pid of a dead server is not mistaken for it", async ({ folder }) => {
  const a = join(folder, "a");
  assert.not.ok(await isServerOf(record(process.pid, a), a));
});

test("a file without a pid is garbled, no file is undefined, a new file has no port", async ({
  folder,
}) => {
  assert.is(await readPostmasterPid(folder), undefined);
  const path = join(folder, "postmaster.pid");
  await writeFile(path, "");
  assert.is(await readPostmasterPid(folder), "garbled");
  await writeFile(path, "123\n/data\n1700000000\n");
  const young = { pid: 123, clusterDir: "/data", port: undefined, ready: false };
  assert.equal(await readPostmasterPid(folder), young);
  await writeFile(path, "123\n/data\n1700000000\n5000\n\n127.0.0.1\n 1 2\nready   \n");
  assert.equal(await readPostmasterPid(folder), { ...young, port: 5000, ready: true });
});

test.run();

const stopTest = suite("embedded_postgres/stopServer");

const BOUNDS = { fastMs: 100, immediateMs: 100 };

/** Starts a process that ignores the given signals. */
const startStubborn = async (...ignored: ReadonlyArray<string>) => {
  const source = `for (const s of ${JSON.stringify(ignored)}) process.on(s, () => {});
    setInterval(() => {}, 1000); console.log("up");`;
  const child = spawn(process.execPath, ["-e", source]);
  await once(child.stdout, "data");
  return {
    signal: (name: NodeJS.Signals) => void child.kill(name),
    isGone: () => child.exitCode !== null || child.signalCode !== null,
  };
};

stopTest("a server that obeys is stopped with SIGINT", async () => {
  const { signal, isGone } = await startStubborn();
  assert.is(await stopServer(signal, isGone, { fastMs: 2_000, immediateMs: 100 }), "SIGINT");
});

stopTest("a server that hangs in its fast shutdown gets SIGQUIT", async () => {
  const { signal, isGone } = await startStubborn("SIGINT");
  assert.is(await stopServer(signal, isGone, { fastMs: 100, immediateMs: 2_000 }), "SIGQUIT");
});

stopTest("a server that ignores everything is killed", async () => {
  const { signal, isGone } = await startStubborn("SIGINT", "SIGQUIT");
  assert.is(await stopServer(signal, isGone, BOUNDS), "SIGKILL");
});

stopTest("a server that cannot be stopped is an error, not an endless wait", async () => {
  const stuck = stopServer(
    () => undefined,
    () => false,
    BOUNDS,
  );
  assert.match((await failure(stuck)).message, /still runs after SIGKILL/);
});

stopTest.run();
