import { suite } from "uvu";
import * as assert from "uvu/assert";

import { isPublicName } from "./dns_rebinding.ts";

const test = suite("isPublicName()");

test("addresses and the names of localhost are not public", () => {
  for (const host of [
    undefined,
    "",
    "localhost",
    "localhost:3000",
    "LOCALHOST:3000",
    "localhost.",
    "127.0.0.1:3000",
    "192.168.0.7",
    "[::1]:3000",
    "[::ffff:127.0.0.1]:3000",
    "app.localhost:3000",
  ]) {
    assert.not.ok(isPublicName(host), host);
  }
});

test("all other names are public, whatever they resemble", () => {
  for (const host of [
    "example.com",
    "example.com:3000",
    "example.com.",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "1.2.3.4.a:80",
    "notlocalhost.xlocalhost",
    "local.com",
    // Others on the network can point these here, by a search domain, NetBIOS or multicast.
    "tidemark",
    "tidemark:3000",
    "printer.local",
    "host.docker.internal:3000",
    // Not addresses.
    "1.2.3",
    "127.0.0.1.",
    "999.1.1.1",
    "[evil]",
    "[::1].example.com",
    ".localhost.example",
  ]) {
    assert.ok(isPublicName(host), host);
  }
});

test("allowed names pass in any case and with any port; their subdomains do not", () => {
  const allowed = new Set(["tidemark", "host.docker.internal"]);
  for (const host of ["tidemark", "Tidemark:3000", "host.docker.internal:80"]) {
    assert.not.ok(isPublicName(host, allowed), host);
  }
  for (const host of ["a.tidemark", "tidemark.", "tidemarks", "docker.internal"]) {
    assert.ok(isPublicName(host, allowed), host);
  }
});

test.run();
