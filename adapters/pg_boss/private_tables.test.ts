import bossPackage from "pg-boss/package.json" with { type: "json" };
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { PG_BOSS_VERSION } from "./private_tables.ts";

const test = suite("pg-boss's private tables");

test("the installed pg-boss is the version whose tables private_tables.ts was written for", () => {
  assert.is(bossPackage.version, PG_BOSS_VERSION);
});

test.run();
