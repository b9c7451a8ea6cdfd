import pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { withSession } from "./session.ts";

const test = suite("withSession");

test("a password with a stray % reaches the server unchanged, and so do our options", () => {
  for (const [password, meant] of [
    ["100%pure", "100%pure"],
    ["p%zz%40", "p%zz@"],
    ["plain", "plain"],
  ] as const) {
    const client = new pg.Client({
      connectionString: withSession(`postgres://u:${password}@127.0.0.1/d`),
    });
    const { options } = (client as unknown as { connectionParameters: { options: string } })
      .connectionParameters;
    assert.is(client.password, meant);
    assert.not.match(options, /%[0-9A-F]{2}/, "not encoded twice");
  }
});

test.run();
