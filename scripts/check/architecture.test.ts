import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkArchitecture } from "./architecture.ts";
import { formatProblem } from "./tree.ts";

/** A small tree without problems, to which each test adds one. */
const CLEAN = {
  "package.json": `{
    "dependencies": { "effect": "4.1.0", "koa": "3.3.0", "pg": "8.23.1" },
    "devDependencies": { "fast-check": "4.10.2", "uvu": "0.5.6", "typescript": "7.0.2" }
  }`,
  "core/log.ts": `import { Effect } from "effect";\nimport * as Stream from "effect/Stream";\nexport {};`,
  "core/log.conformance.ts": `import { suite } from "uvu";\nimport * as log from "./log.ts";`,
  "core/log.test.ts": `import fc from "fast-check";\nimport "effect/testing";\nimport "uvu/assert";
    import "./log.conformance.ts"; import "./log.ts"; setTimeout(() => Date.now(), 1);`,
  "adapters/postgres/read.sql": "select 1",
  "adapters/postgres/log.ts": `import pg from "pg";\nimport { readFileSync } from "node:fs";
    import { a } from "./sql.ts"; import { b } from "../../core/log.ts"; setTimeout(f, 1);`,
  "adapters/postgres/sql.ts": `read("read.sql");`,
  "adapters/postgres/log.test.ts": `import { database } from "../../scripts/test/database.ts";
    import "../../core/log.conformance.ts"; import "./log.ts"; import fc from "fast-check";`,
  "adapters/postgres/log.plan.test.ts": `import "./log.ts";`,
  "adapters/koa/server.ts": `import type Koa from "koa";`,
  "db/migrations/0001.sql": "create table events ()",
  "db/migrate.ts": `import "../adapters/postgres/log.ts"; import "../core/log.ts";`,
  "app/main.ts": `import "../db/migrate.ts"; import "../adapters/koa/server.ts"; import "./config.ts";`,
  "app/config.ts": `console.log(process.env.PORT, Date.now());`,
  "scripts/test/database.ts": `import "../../adapters/postgres/log.ts"; import "uvu";`,
  "scripts/seed.ts": `import "typescript"; import "../db/migrate.ts";`,
};

const problemsWith = (files: Record<string, string>): string[] =>
  checkArchitecture(new Map(Object.entries({ ...CLEAN, ...files }))).map(formatProblem);

/** Asserts that the files, added to the clean tree, break only this rule. */
function breaks(files: Record<string, string>, problem: RegExp): void {
  const problems = problemsWith(files);
  assert.is(problems.length, 1, problems.join("\n") || "no problem was found");
  assert.match(problems[0] ?? "", problem);
}

const architecture = suite("architecture");

architecture("accepts a clean tree", () => {
  assert.equal(problemsWith({}), []);
});

architecture("lets core import only effect and core", () => {
  breaks({ "core/a.ts": `import pg from "pg";` }, /^core\/a\.ts:1 +core must not import pg/);
  breaks({ "core/a.ts": `\nimport "node:fs";` }, /^core\/a\.ts:2 +core must not import node:fs/);
  breaks({ "core/a.ts": `import "effect/testing";` }, /effect\/testing/);
  breaks({ "core/a.ts": `export * from "../app/config.ts";` }, /core must not import app/);
  breaks({ "core/a.ts": `await import("../db/migrate.ts");` }, /core must not import db/);
  breaks({ "core/a.ts": `import.meta.resolve("node:fs");` }, /node:fs/);
  breaks({ "core/a.ts": `type T = import("node:fs").Stats;` }, /node:fs/);
});

architecture("lets tests of core import test libraries, but no other layer", () => {
  breaks({ "core/a.ts": "", "core/a.test.ts": `import "node:fs";` }, /must not import node:fs/);
  breaks(
    { "core/a.conformance.ts": `import "../scripts/test/database.ts";` },
    /must not import scripts/,
  );
});

architecture("keeps test code out of production code", () => {
  breaks({ "core/a.ts": `import "./log.conformance.ts";` }, /imports test code outside of a test/);
  breaks({ "app/a.ts": `import "../core/log.test.ts";` }, /imports a test/);
  breaks({ "core/a.fixture.ts": `import "./log.test.ts";` }, /imports a test/);
});

architecture("keeps clocks, randomness and the machine out of core", () => {
  for (const [code, name] of [
    ["Date.now()", "Date.now"],
    ["new Date()", "new Date()"],
    ["Math.random()", "Math.random"],
    ["process.env.HOME", "process"],
    ["Buffer.from(x)", "Buffer"],
    ["setTimeout(f, 1)", "setTimeout"],
    ["setInterval(f, 1)", "setInterval"],
    ["performance.now()", "performance"],
    ["crypto.randomUUID()", "crypto"],
    ["globalThis.process.exit()", "process"],
    ["`${Date . now()}`", "Date.now"],
  ]) {
    const problems = problemsWith({ "core/a.ts": `const a = 1;\nf(${code});` });
    assert.equal(problems, [`core/a.ts:2  core must not use ${name}: pass it in`]);
  }
});

architecture("ignores clocks in comments, strings and names of core", () => {
  const source = `// Date.now() and process.env
    /** crypto.subtle */
    const a = "new Date()" + \`Math.random() \${job.process()}\` + new Date(millis);
    const b = { process: 1, crypto: 2 }; const c = /setTimeout/; b?.process;`;
  assert.equal(problemsWith({ "core/a.ts": source }), []);
});

architecture("lets adapters import only core and themselves", () => {
  breaks(
    { "adapters/koa/a.ts": `import "../postgres/log.ts";` },
    /koa must not import adapters\/postgres/,
  );
  breaks(
    { "adapters/koa/a.ts": `import "../../app/config.ts";` },
    /adapters\/koa must not import app/,
  );
  breaks(
    { "adapters/koa/a.ts": `import "../../db/migrate.ts";` },
    /adapters\/koa must not import db/,
  );
  breaks({ "adapters/koa/a.ts": `import "../../scripts/seed.ts";` }, /koa must not import scripts/);
  breaks(
    { "adapters/koa/a.ts": `import "../../scripts/test/database.ts";` },
    /must not import scripts/,
  );
});

architecture("lets tests import helpers of scripts/test, but no other script", () => {
  const test = `import "../../scripts/seed.ts";`;
  breaks({ "adapters/koa/server.test.ts": test }, /koa must not import scripts/);
});

architecture("lets only app import app", () => {
  breaks({ "db/a.ts": `import "../app/config.ts";` }, /db must not import app/);
  breaks({ "scripts/a.ts": `import "../app/config.ts";` }, /scripts must not import app/);
  breaks({ "app/a.ts": `import "../scripts/seed.ts";` }, /app must not import scripts/);
});

architecture("requires the .ts extension on a relative import, and an existing file", () => {
  breaks({ "app/a.ts": `import "./config";` }, /app\/a\.ts:1 +write the \.ts extension/);
  breaks({ "app/a.ts": `import "./config.js";` }, /write the \.ts extension/);
  breaks({ "app/a.ts": `import "./gone.ts";` }, /imports a file that does not exist: \.\/gone\.ts/);
});

architecture("requires every imported package in package.json", () => {
  breaks({ "app/a.ts": `import "ioredis/cluster";` }, /ioredis is not in the dependencies/);
  breaks({ "app/a.ts": `import type { X } from "@a/b/c";` }, /@a\/b is not in the dependencies/);
  breaks({ "app/a.ts": `import "uvu";` }, /uvu is not in the dependencies of/);
  breaks({ "scripts/a.ts": `import "left-pad";` }, /left-pad is not in the dependencies or dev/);
});

architecture("requires an exact version of every package", () => {
  for (const version of ["^1.2.3", "1.2", "latest", ">=1.2.3", "1.x"]) {
    const packageJson = CLEAN["package.json"].replace("0.5.6", version);
    breaks({ "package.json": packageJson }, /^package\.json +uvu must be pinned/);
  }
  const beta = CLEAN["package.json"].replace("0.5.6", "18.4.0-beta.17");
  assert.equal(problemsWith({ "package.json": beta }), []);
});

architecture("requires a test to be beside its source", () => {
  breaks({ "app/start.test.ts": "" }, /^app\/start\.test\.ts +is not beside start\.ts/);
  assert.equal(problemsWith({ "adapters/postgres/read.test.ts": "" }), []);
});

architecture(
  "requires every SQL file except migrations to be named in code, not only in a comment",
  () => {
    breaks(
      { "adapters/postgres/ad.sql": "select 1" },
      /^adapters\/postgres\/ad\.sql +is not named in any/,
    );
    const named = { "adapters/postgres/a.sql": "select 1", "adapters/postgres/a.ts": "// a.sql" };
    breaks(named, /a\.sql +is not named in any/);
  },
);

architecture("limits files to 400 lines", () => {
  assert.equal(problemsWith({ "app/a.ts": "f();\n".repeat(400) }), []);
  breaks({ "app/a.ts": "f();\n".repeat(401) }, /^app\/a\.ts +has 401 lines/);
});

architecture("finds words of unfinished work in any text file", () => {
  for (const word of ["to-do", "fix-me", "xx-x"].map((name) =>
    name.replace("-", "").toUpperCase(),
  )) {
    breaks(
      { "docs/a.md": `fine\nthis is ${word}: later` },
      new RegExp(`a\\.md:2 +contains "${word}"`),
    );
  }
  assert.equal(problemsWith({ "docs/a.md": "mktemp XXXXXX" }), []);
});

architecture.run();
