import { readFile } from "node:fs/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkEngines } from "./packages.ts";

const test = suite("checkEngines");

/** The problems of a lock file with one package that needs this Node. */
const messages = (node: string | undefined, entry: object = {}): string[] => {
  const koa = { version: "3.3.0", ...(node === undefined ? {} : { engines: { node } }), ...entry };
  const lock = JSON.stringify({ packages: { "": {}, "node_modules/koa": koa } });
  return checkEngines(lock, "20.19.0").map(({ message }) => message);
};

test("a package that accepts the oldest Node passes, with any form of range", () => {
  for (const range of [
    ">=18",
    ">= 18",
    ">=20.19.0",
    ">=6 <21",
    "20",
    "20.*",
    "20.x",
    "*",
    "^20.1",
    "~20.19.0",
    "20 || >=22",
    "^20.19.0 || >=22.12.0",
    "10.* || >= 12.*",
    ">=9.4.0 || ^8.9.4",
  ]) {
    assert.equal(messages(range), [], range);
  }
  assert.equal(messages(undefined), []);
});

test("a package that does not accept it fails, and is named", () => {
  for (const range of [
    ">=22.12.0",
    ">20.19.0",
    "<20",
    "22",
    "^22.1.0 || >=24",
    "~20.18.0",
    "21.*",
  ]) {
    assert.match(messages(range).join(), `node_modules/koa needs Node ${range}`, range);
  }
});

test("an optional package passes", () => {
  assert.equal(messages(">=22.12.0", { optional: true }), []);
});

test("the lock file of this repository installs on Node 20, with and without engine-strict", async () => {
  const lock = await readFile(new URL("../../package-lock.json", import.meta.url), "utf8");
  assert.equal(checkEngines(lock, "20.19.0"), []);
});

test.run();
