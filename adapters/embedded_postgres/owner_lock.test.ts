import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../scripts/test/patience.ts";
import { acquireOwnerLock, type OwnerLock, readOwnerPid } from "./owner_lock.ts";

const test = suite<{ folder: string }>("embedded_postgres/owner_lock");

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "tidemark-lock-"));
});
test.after.each(async ({ folder }) => {
  await rm(folder, { recursive: true, force: true });
});

test("there is one owner at a time, even within one process", ({ folder }) => {
  const first = acquireOwnerLock(folder);
  assert.ok(first);
  assert.is(acquireOwnerLock(folder), undefined);
  assert.is(acquireOwnerLock(folder), undefined, "a refusal does not break the lock");
  assert.is(readOwnerPid(folder), process.pid);
  first.release();
  const second = acquireOwnerLock(folder);
  assert.ok(second);
  first.release();
  assert.is(acquireOwnerLock(folder), undefined, "a second release does not free another's lock");
  second.release();
});

test("a released lock leaves no pid behind", async ({ folder }) => {
  acquireOwnerLock(folder)?.release();
  assert.equal(await readdir(folder), ["owner.lock"]);
});

test("the kernel frees the lock of a process that was killed with kill -9", async ({ folder }) => {
  const source = `
    import { acquireOwnerLock } from ${JSON.stringify(import.meta.resolve("./owner_lock.ts"))};
    globalThis.lock = acquireOwnerLock(${JSON.stringify(folder)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source]);
  await once(child.stdout, "data");
  assert.is(acquireOwnerLock(folder), undefined);
  assert.is(readOwnerPid(folder), child.pid);
  child.kill("SIGKILL");
  await once(child, "exit");
  let lock: OwnerLock | undefined;
  await until(() => (lock = acquireOwnerLock(folder)) !== undefined);
  lock?.release();
});

test.run();
