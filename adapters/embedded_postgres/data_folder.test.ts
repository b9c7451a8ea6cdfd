import { chmod, chown, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readUsers } from "./as_root.ts";
import { makeDataFolder } from "./data_folder.ts";
import { failure, makeScratch, removeScratch, spawnOwner } from "./embedded_postgres.fixture.ts";
import { EmbeddedPostgresFailed, startEmbeddedPostgres } from "./embedded_postgres.ts";

const test = suite<{ scratch: string }>("embedded_postgres/data_folder");

test.before.each(async (context) => {
  context.scratch = await makeScratch();
});
test.after.each(async ({ scratch }) => {
  await removeScratch(scratch);
});

/** The message of a start on this folder, which must fail. */
const refusal = async (dataDir: string): Promise<string> => {
  const error = await failure(startEmbeddedPostgres({ dataDir }));
  assert.instance(error, EmbeddedPostgresFailed);
  assert.not.match(error.message, /\bE[A-Z]{3,}\b|\n|Error:/, "it is a sentence");
  assert.match(error.message, "DATA_DIR");
  return error.message;
};

test("missing folders are created, however many", async ({ scratch }) => {
  const dataDir = join(scratch, "a/b/c");
  await makeDataFolder(dataDir);
  assert.ok((await stat(dataDir)).isDirectory());
  await makeDataFolder(dataDir);
});

test("a place where nothing can be created is refused immediately", async () => {
  for (const dataDir of ["/proc/tidemark", "/proc/a/b", "/sys/tidemark"]) {
    assert.match(await refusal(dataDir), `Cannot create the data folder ${dataDir.slice(0, 7)}`);
  }
});

test("a file or a broken link in place of a folder is named", async ({ scratch }) => {
  const file = join(scratch, "file");
  await writeFile(file, "");
  assert.match(await refusal(file), `${file} is not a folder`);
  assert.match(await refusal(join(file, "below")), "is not a folder");
  await symlink("/nonexistent/elsewhere", join(scratch, "link"));
  assert.match(await refusal(join(scratch, "link")), "is a broken link");
});

const createsForTheOwner = async ({ scratch }: { scratch: string }): Promise<void> => {
  const nobody = (await readUsers()).find(({ name }) => name === "nobody");
  assert.ok(nobody);
  const checkout = join(scratch, "checkout");
  await mkdir(checkout);
  await chown(checkout, nobody.uid, nobody.gid);
  await makeDataFolder(join(checkout, "a/.data"));
  for (const folder of ["a", "a/.data"]) {
    assert.is((await stat(join(checkout, folder))).uid, nobody.uid, folder);
  }
  await makeDataFolder(join(scratch, "of-root"));
  assert.is((await stat(join(scratch, "of-root"))).uid, 0);
};

/** The message for an ordinary user who starts a service in a folder that root has used. */
const messageForUser = async (dataDir: string): Promise<string> => {
  const nobody = (await readUsers()).find(({ name }) => name === "nobody");
  const owner = spawnOwner(dataDir, { uid: String(nobody?.uid) });
  const { message = "" } = await owner.report;
  assert.not.match(message, /\bE[A-Z]{3,}\b|\n|Error:/, "it is a sentence");
  return message;
};

const explainsToTheNextUser = async ({ scratch }: { scratch: string }): Promise<void> => {
  const dataDir = join(scratch, "data");
  const storeDir = join(scratch, "store");
  const root = spawnOwner(dataDir, { storeDir });
  assert.match((await root.report).url ?? "", /^postgres:/);
  await root.stop();
  const expected = /This user \(uid \d+\) cannot use .*\. It belongs to root, .* sudo .* DATA_DIR/;
  assert.match(await messageForUser(dataDir), expected);
  // A folder that everybody can write to, which contains files of root.
  await chmod(dataDir, 0o777);
  assert.match(await messageForUser(dataDir), expected);
  await chmod(scratch, 0o755);
  assert.match(
    await messageForUser(join(scratch, "another")),
    /Cannot create .*: this user \(uid \d+\) may not write to .*\. Set DATA_DIR/,
  );
};

if (process.getuid?.() === 0) {
  test("what root creates in another user's folder belongs to that user", createsForTheOwner);
  test("after a start as root, the next user learns what to do", explainsToTheNextUser);
} else {
  test("a folder that this user may not write to is explained in a sentence", async ({
    scratch,
  }) => {
    await mkdir(join(scratch, "closed"));
    await chmod(join(scratch, "closed"), 0o555);
    assert.match(await refusal(join(scratch, "closed")), /This user .* cannot use /);
    assert.match(await refusal(join(scratch, "closed/data")), "may not write to");
  });
}

test.run();
