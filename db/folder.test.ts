import { createHash } from "node:crypto";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { MigrationFolderInvalid } from "./errors.ts";
import { fixtureFolder } from "./fixture_folder.ts";
import { readFolder } from "./folder.ts";

const test = suite("readFolder");

async function read(files: Record<string, string | Uint8Array>): Promise<unknown> {
  const folder = await fixtureFolder(files);
  try {
    return await readFolder(folder.directory).catch((error: unknown) => error);
  } finally {
    await folder.drop();
  }
}

async function refuses(files: Record<string, string | Uint8Array>, reason: RegExp): Promise<void> {
  const error = await read(files);
  assert.instance(error, MigrationFolderInvalid);
  assert.match((error as Error).message, reason);
}

test("files come in the order of their numbers with the checksum of their bytes", async () => {
  const checksum = (text: string): string => createHash("sha256").update(text).digest("hex");
  assert.equal(await read({ "0002_b.sql": "SELECT 2", "0001_a.sql": "SELECT 1" }), [
    { version: 1, name: "a", file: "0001_a.sql", sql: "SELECT 1", checksum: checksum("SELECT 1") },
    { version: 2, name: "b", file: "0002_b.sql", sql: "SELECT 2", checksum: checksum("SELECT 2") },
  ]);
});

test("an empty folder has no migrations, and files that are not SQL are none", async () => {
  assert.equal(await read({}), []);
  assert.equal(await read({ "README.md": "", ".gitkeep": "" }), []);
});

test("a gap is refused, naming the file after it and the number it should have", async () => {
  await refuses({ "0001_a.sql": "", "0003_c.sql": "" }, /0003_c\.sql should have number 0002/);
});

test("a folder that does not begin with 0001 is refused", async () => {
  await refuses({ "0002_b.sql": "" }, /0002_b\.sql should have number 0001/);
});

test("two files with one number are refused, naming both", async () => {
  await refuses(
    { "0001_a.sql": "", "0001_b.sql": "" },
    /0001_a\.sql and 0001_b\.sql have the same number/,
  );
});

test("a file whose name is not NNNN_name.sql is refused", async () => {
  for (const name of ["1_a.sql", "0001-a.sql", "0001_A.sql", "0001_a.SQL", "0001_.sql", "a.sql"]) {
    await refuses({ [name]: "" }, /is not named like/);
  }
});

test("a file that is not UTF-8 is refused rather than altered", async () => {
  await refuses({ "0001_a.sql": Uint8Array.of(0xff) }, /0001_a\.sql cannot be read/);
});

test("a folder that does not exist is refused", async () => {
  const error = await readFolder("/nonexistent/migrations").catch((cause: unknown) => cause);
  assert.instance(error, MigrationFolderInvalid);
  assert.match((error as Error).message, /ENOENT/);
});

test.run();
