import { createHash } from "node:crypto";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { MigrationFolderInvalid } from "./errors.ts";
import { fixtureFolder } from "./folder.fixture.ts";
import { lineAt, readFolder } from "./folder.ts";

const test = suite("readFolder");

type Files = Readonly<Record<string, string | Uint8Array>>;

/** What a folder with these files contains, or the error. */
const read = async (files: Files): Promise<unknown> => {
  const folder = await fixtureFolder(files);
  try {
    return await readFolder(folder.directory).catch((error: unknown) => error);
  } finally {
    await folder.drop();
  }
};

const refuses = async (files: Files, reason: RegExp): Promise<void> => {
  const error = await read(files);
  assert.instance(error, MigrationFolderInvalid);
  assert.match((error as Error).message, reason);
};

const checksum = (text: string): string => createHash("sha256").update(text).digest("hex");

test("migrations are read in the order of their numbers, with the checksums of their bytes", async () => {
  assert.equal(await read({ "0002_b.sql": "select 2", "0001_a.sql": "select 1" }), {
    migrations: [
      {
        version: 1,
        name: "a",
        file: "0001_a.sql",
        sql: "select 1",
        checksum: checksum("select 1"),
      },
      {
        version: 2,
        name: "b",
        file: "0002_b.sql",
        sql: "select 2",
        checksum: checksum("select 2"),
      },
    ],
    functions: [],
  });
});

test("functions are read with the checksums of their bytes", async () => {
  assert.equal(await read({ "functions/f.sql": "select 1" }), {
    migrations: [],
    functions: [
      { name: "f", file: "functions/f.sql", sql: "select 1", checksum: checksum("select 1") },
    ],
  });
});

test("an empty folder is valid, and files that are not SQL are ignored", async () => {
  const empty = { migrations: [], functions: [] };
  assert.equal(await read({}), empty);
  assert.equal(await read({ "README.md": "", ".gitkeep": "", "functions/README.md": "" }), empty);
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

test("a function whose name is not lower_case.sql is refused", async () => {
  for (const name of ["A.sql", "a-b.sql", "a.SQL", ".sql"]) {
    await refuses({ [`functions/${name}`]: "" }, /is not named like lower_case\.sql/);
  }
});

test("a migration whose name is not NNNN_name.sql is refused", async () => {
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

test("a character's line is counted by line breaks before it, and by code points as Postgres does", () => {
  assert.is(lineAt("select 1", 1), 1);
  assert.is(lineAt("a\nb\nc", 3), 2);
  assert.is(lineAt("a\nb\nc", 5), 3);
  assert.is(lineAt("a\nb", 2), 1);
  assert.is(lineAt("😀\nb", 3), 2);
});

test.run();
