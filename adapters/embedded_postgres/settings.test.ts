import { suite } from "uvu";
import * as assert from "uvu/assert";

import { settingFlags } from "./settings.ts";

const test = suite("embedded_postgres/settings");

test("an override replaces a default", () => {
  const flags = settingFlags({ shared_buffers: "64MB" }, 5000);
  assert.ok(flags.includes("shared_buffers=64MB"));
  assert.not.ok(flags.includes("shared_buffers=256MB"));
});

test("durability cannot be switched off, in any spelling", () => {
  for (const name of ["fsync", "full_page_writes", "synchronous_commit", "FSYNC"]) {
    assert.throws(() => settingFlags({ [name]: "off" }, 5000), /cannot be set to off/);
  }
});

test("the server listens only on the loopback address and the given port", () => {
  const flags = settingFlags({}, 5000);
  assert.ok(flags.includes("listen_addresses=127.0.0.1"));
  assert.ok(flags.includes("unix_socket_directories="));
  assert.ok(flags.includes("port=5000"));
});

test.run();
