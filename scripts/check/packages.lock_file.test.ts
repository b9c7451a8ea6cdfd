import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkLockFile } from "./packages.ts";

const test = suite("checkLockFile");

const HASH = `sha512-${"A".repeat(86)}==`;

/** The problems of a lock file with one valid package and, as `node_modules/koa`, this one. */
const messages = (koa: object, allowScripts: object = {}): string[] => {
  const sound = { version: "1.0.0", integrity: HASH };
  const packages = { "": {}, "node_modules/pg": sound, "node_modules/koa": koa };
  const lock = JSON.stringify({ lockfileVersion: 3, packages });
  return checkLockFile(lock, JSON.stringify({ allowScripts })).map(({ message }) => message);
};

test("packages with a SHA-512 from the public registry and bundled packages pass", () => {
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

test("a package without a hash fails", () => {
  assert.equal(messages({ version: "3.3.0" }), ["node_modules/koa has no integrity hash"]);
});

test("a weak or invalid hash fails", () => {
  for (const integrity of ["sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA", ""]) {
    assert.match(messages({ integrity }).join(), "node_modules/koa has no SHA-512");
  }
});

test("a package that is not from the public registry fails", () => {
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

test("a package with an install script must be allowed by name", () => {
  const koa = { integrity: HASH, hasInstallScript: true };
  assert.equal(messages(koa), ["node_modules/koa runs an install script"]);
  assert.equal(messages(koa, { koa: false }).length, 1);
  assert.equal(messages(koa, { koa: true }), []);
});

test("a lock file of npm 6 fails", () => {
  assert.match(
    checkLockFile("{}", "{}")
      .map(({ message }) => message)
      .join(),
    "has no packages",
  );
});

test.run();
