import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readOwnerPid, takeOwnerLock } from "./owner_lock.ts";
import { until } from "./until.ts";

const test = suite<{ folder: string }>("embedded_postgres/owner_lock");

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "tidemark-lock-"));
});
test.after.each(async ({ folder }) => {
  await rm(folder, { recursive: true, force: true });
});

test("one owner at a time, also within one process", ({ folder }) => {
  const first = takeOwnerLock(folder);
  assert.ok(first);
  assert.is(takeOwnerLock(folder), undefined);
  assert.is(takeOwnerLock(folder), undefined, "a refusal does not break the lock");
  assert.is(readOwnerPid(folder), process.pid);
  first.release();
  const second = takeOwnerLock(folder);
  assert.ok(second);
  first.release();
  assert.is(takeOwnerLock(folder), undefined, "a second release does not free another's lock");
  second.release();
});

test("a released lock leaves no pid behind", async ({ folder }) => {
  takeOwnerLock(folder)?.release();
  assert.equal(await readdir(folder), ["owner.lock"]);
});

test("the kernel frees the lock of a process that was killed with kill -9", async ({ folder }) => {
  const source = `
    import { takeOwnerLock } from ${JSON.stringify(import.meta.resolve("./owner_lock.ts"))};
    globalThis.lock = takeOwnerLock(${JSON.stringify(folder)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source]);
  await once(child.stdout, "data");
  assert.is(takeOwnerLock(folder), undefined);
  assert.is(readOwnerPid(folder), child.pid);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await until(() => takeOwnerLock(folder), { everyMs: 10, withinMs: 2_000 });
  assert.ok(lock);
  lock.release();
});

test.run();
