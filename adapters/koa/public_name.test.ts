import { suite } from "uvu";
import * as assert from "uvu/assert";

import { isPublicName } from "./public_name.ts";

const test = suite("isPublicName()");

test("addresses and names of a machine or a private network are not public", () => {
  for (const host of [
    undefined,
    "",
    "localhost",
    "localhost:3000",
    "LOCALHOST:3000",
    "tidemark",
    "127.0.0.1:3000",
    "192.168.0.7",
    "[::1]:3000",
    "[::ffff:127.0.0.1]:3000",
    "app.localhost:3000",
    "printer.local",
    "host.docker.internal:3000",
  ]) {
    assert.not.ok(isPublicName(host), host);
  }
});

test("all other names are, whatever they resemble", () => {
  for (const host of [
    "example.com",
    "example.com:3000",
    "example.com.",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "1.2.3.4.a:80",
    "notlocalhost.xlocalhost",
    "local.com",
  ]) {
    assert.ok(isPublicName(host), host);
  }
});

test.run();
