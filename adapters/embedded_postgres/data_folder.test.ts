import { chmod, chown, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { failure } from "./ask.ts";
import { makeDataFolder } from "./data_folder.ts";
import { EmbeddedPostgresFailed, startEmbeddedPostgres } from "./embedded_postgres.ts";
import { makeScratch, removeScratch } from "./scratch.ts";
import { readUsers } from "./server_user.ts";
import { spawnOwner } from "./spawn_owner.ts";

const test = suite<{ scratch: string }>("embedded_postgres/data_folder");

test.before.each(async (context) => {
  context.scratch = await makeScratch();
});
test.after.each(async ({ scratch }) => {
  await removeScratch(scratch);
});

/** The sentence that a start on this folder fails with. */
const refusal = async (dataDir: string): Promise<string> => {
  const error = await failure(startEmbeddedPostgres({ dataDir }));
  assert.instance(error, EmbeddedPostgresFailed);
  assert.not.match(error.message, /\bE[A-Z]{3,}\b|\n|Error:/, "it is a sentence");
  assert.match(error.message, "DATA_DIR");
  return error.message;
};

test("folders that are missing are made, however many", async ({ scratch }) => {
  const dataDir = join(scratch, "a/b/c");
  await makeDataFolder(dataDir);
  assert.ok((await stat(dataDir)).isDirectory());
  await makeDataFolder(dataDir);
});

test("where nothing can be made, it says so at once", async () => {
  for (const dataDir of ["/proc/tidemark", "/proc/a/b", "/sys/tidemark"]) {
    assert.match(await refusal(dataDir), `The data folder ${dataDir.slice(0, 7)}`);
  }
});

test("a file in the place of a folder is named", async ({ scratch }) => {
  const file = join(scratch, "file");
  await writeFile(file, "");
  assert.match(await refusal(file), `${file} is not a folder`);
  assert.match(await refusal(join(file, "below")), "is not a folder");
  await symlink("/nonexistent/elsewhere", join(scratch, "link"));
  assert.match(await refusal(join(scratch, "link")), "is a link to nowhere");
});

const makesForTheOwner = async ({ scratch }: { scratch: string }): Promise<void> => {
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

/** What somebody is told who starts a service in a folder that root has used. */
const sentenceForUser = async (dataDir: string): Promise<string> => {
  const nobody = (await readUsers()).find(({ name }) => name === "nobody");
  const owner = spawnOwner(dataDir, { uid: String(nobody?.uid) });
  const { message = "" } = await owner.report;
  assert.not.match(message, /\bE[A-Z]{3,}\b|\n|Error:/, "it is a sentence");
  return message;
};

const tellsTheNextUser = async ({ scratch }: { scratch: string }): Promise<void> => {
  const dataDir = join(scratch, "data");
  const storeDir = join(scratch, "store");
  const root = spawnOwner(dataDir, { storeDir });
  assert.match((await root.report).url ?? "", /^postgres:/);
  await root.stop();
  const expected =
    /cannot be used by this user \(uid \d+\)\. It belongs to root: .* sudo .* DATA_DIR/;
  assert.match(await sentenceForUser(dataDir), expected);
  // A folder that anybody may write to, with files in it that are root's.
  await chmod(dataDir, 0o777);
  assert.match(await sentenceForUser(dataDir), expected);
  await chmod(scratch, 0o755);
  assert.match(
    await sentenceForUser(join(scratch, "another")),
    /cannot be made: this user \(uid \d+\) may not write to .*\. Set DATA_DIR/,
  );
};

if (process.getuid?.() === 0) {
  test("what root makes in somebody's folder is theirs", makesForTheOwner);
  test("after a start as root, the next user is told what to do", tellsTheNextUser);
} else {
  test("a folder that this user may not write to is told in a sentence", async ({ scratch }) => {
    await mkdir(join(scratch, "closed"));
    await chmod(join(scratch, "closed"), 0o555);
    assert.match(await refusal(join(scratch, "closed")), "cannot be used by this user");
    assert.match(await refusal(join(scratch, "closed/data")), "may not write to");
  });
}

test.run();
