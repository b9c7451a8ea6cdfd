import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkImage } from "./image.ts";
import { readModule } from "./module.ts";
import { formatProblem } from "./tree.ts";

const image = suite("image");

const CLEAN = {
  ".dockerignore":
    "# Comment\n*\n!app\n!core\n!adapters\n!scripts\nscripts/*\n!scripts/keys\n**/*.fixture.ts\n",
  "app/main.ts": `import "../core/log.ts"; start(new URL("./own_process.ts", import.meta.url));`,
  "app/own_process.ts": "",
  "core/log.ts": `import pg from "pg";`,
  "core/log.fixture.ts": `import "./log.ts";`,
  "scripts/keys/main.ts": `import "../../core/log.ts";`,
  "scripts/bench/main.ts": `import "./report.ts";`,
  "scripts/bench/report.ts": "",
};

const problemsWith = (files: Record<string, string>): string[] => {
  const tree = new Map(Object.entries({ ...CLEAN, ...files }));
  const modules = [...tree]
    .filter(([path]) => path.endsWith(".ts"))
    .map(([path, source]) => readModule(path, source));
  return checkImage(modules, tree).map(formatProblem);
};

image("accepts an image with exactly the files of its programs", () => {
  assert.equal(problemsWith({}), []);
});

image("finds files that only tests and tools use", () => {
  const unused = "is in the image, but no program imports it: name it *.fixture.ts, or move it";
  assert.equal(problemsWith({ "core/scratch.ts": "" }), [`core/scratch.ts  ${unused}`]);
  assert.equal(problemsWith({ "scripts/keys/a.test.ts": "", "adapters/memory/log.ts": "" }), [
    `scripts/keys/a.test.ts  ${unused}`,
  ]);
});

image("finds files that are missing in it", () => {
  assert.equal(problemsWith({ "scripts/keys/main.ts": `import "../bench/report.ts";` }), [
    "scripts/keys/main.ts  needs scripts/bench/report.ts, which .dockerignore keeps out",
  ]);
});

image.run();
