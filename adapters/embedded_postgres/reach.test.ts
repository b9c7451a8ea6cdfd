import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { canReach } from "./reach.ts";

const test = suite<{ home: string; inner: string }>("embedded_postgres/reach");

const stranger = { name: "stranger", uid: 64_999, gid: 64_999 };
const self = { name: "self", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test.before.each(async (context) => {
  context.home = await mkdtemp(join(tmpdir(), "tidemark-reach-"));
  context.inner = join(context.home, "checkout", "data");
  await mkdir(context.inner, { recursive: true });
  for (const path of [context.inner, join(context.home, "checkout")]) await chmod(path, 0o755);
});
test.after.each(async ({ home }) => {
  await rm(home, { recursive: true, force: true });
});

test("a home folder with mode 0700 hides what is inside from others", async ({ home, inner }) => {
  await chmod(home, 0o700);
  assert.is(await canReach(inner, stranger), false);
  assert.is(await canReach(inner, self), true);
});

test("a folder that may be entered but not listed can be passed through", async ({
  home,
  inner,
}) => {
  await chmod(home, 0o711);
  assert.is(await canReach(inner, stranger), true);
  assert.is(await canReach(home, stranger), false);
});

test("the owner's bits decide for the owner, even when others may do more", async ({
  home,
  inner,
}) => {
  await chmod(inner, 0o077);
  await chmod(home, 0o755);
  assert.is(await canReach(inner, self), false);
  assert.is(await canReach(inner, stranger), true);
});

test.run();
