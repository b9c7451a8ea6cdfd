import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkLockFile } from "./lock_file.ts";

const test = suite("the lock file");

const HASH = `sha512-${"A".repeat(86)}==`;

/** What is wrong with a lock file that has one sound package and, under `node_modules/koa`, this one. */
const messages = (koa: object, allowScripts: object = {}): string[] => {
  const sound = { version: "1.0.0", integrity: HASH };
  const packages = { "": {}, "node_modules/pg": sound, "node_modules/koa": koa };
  const lock = JSON.stringify({ lockfileVersion: 3, packages });
  return checkLockFile(lock, JSON.stringify({ allowScripts })).map(({ message }) => message);
};

test("a package with a SHA-512 from the public registry passes, and so does one in a bundle", () => {
  const resolved = "https://registry.npmjs.org/koa/-/koa-3.3.0.tgz";
  for (const koa of [
    { integrity: HASH },
    { integrity: `sha1-AAAA ${HASH}` },
    { integrity: HASH, resolved },
    { inBundle: true },
  ]) {
    assert.equal(messages(koa), []);
  }
});

test("one package without a hash fails", () => {
  assert.equal(messages({ version: "3.3.0" }), ["node_modules/koa has no integrity hash"]);
});

test("a hash that can be forged, or is none, fails", () => {
  for (const integrity of ["sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA", ""]) {
    assert.match(messages({ integrity }).join(), "node_modules/koa has no SHA-512");
  }
});

test("a package from anywhere else than the public registry fails", () => {
  for (const resolved of [
    "http://registry.npmjs.org/koa/-/koa-3.3.0.tgz",
    "https://registry.npmjs.org.example/koa.tgz",
    "https://mirror.example/koa/-/koa-3.3.0.tgz",
    "git+ssh://git@github.com/koajs/koa.git#0123456",
  ]) {
    assert.match(messages({ integrity: HASH, resolved }).join(), `koa comes from ${resolved}`);
  }
  assert.match(messages({ link: true }).join(), "koa comes from a folder");
});

test("a package that runs a script when it is installed has to be allowed by name", () => {
  const koa = { integrity: HASH, hasInstallScript: true };
  assert.equal(messages(koa), ["node_modules/koa runs a script when it is installed"]);
  assert.equal(messages(koa, { koa: false }).length, 1);
  assert.equal(messages(koa, { koa: true }), []);
});

test("a lock file of npm 6, which names no packages, fails", () => {
  assert.match(
    checkLockFile("{}", "{}")
      .map(({ message }) => message)
      .join(),
    "has no packages",
  );
});

test.run();
