import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { decimalNumber, httpOrigin, noMore, UsageError, wholeNumber } from "./command_line.ts";

const test = suite("runCommandLine");

const MODULE = fileURLToPath(new URL("command_line.ts", import.meta.url));

/** A command that prints its arguments, or fails as its argument says. */
const PROGRAM = `
import { runCommandLine, UsageError } from ${JSON.stringify(MODULE)};
process.exitCode = await runCommandLine({
  usage: "Usage: npm run x -- [THING]\\n\\nDoes things.\\n",
  options: { size: { type: "string", default: "1" }, dry: { type: "boolean", default: false } },
  run: (values, positionals) => {
    switch (positionals[0]) {
      case "misuse": throw new UsageError("A thing must be round");
      case "fail": throw new Error("The thing broke");
      case "bug": return undefined.property;
    }
    console.log(JSON.stringify([{ ...values }, positionals]));
    return 7;
  },
  explain: (error) => error.message,
});`;

const run = (...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", PROGRAM, "--", "program", ...args],
    { encoding: "utf8" },
  );
  return { code: status, out: stdout, err: stderr };
};

test("a command gets its options and arguments, and its exit code is passed on", () => {
  assert.equal(run("a", "--size", "3", "--dry"), {
    code: 7,
    out: '[{"size":"3","dry":true},["a"]]\n',
    err: "",
  });
});

test("--help prints the usage, whatever else is asked, and -- ends the options", () => {
  for (const args of [["--help"], ["-h"], ["misuse", "--help"], ["--nonsense", "--help"]]) {
    const { code, out } = run(...args);
    assert.equal([code, out], [0, "Usage: npm run x -- [THING]\n\nDoes things.\n"]);
  }
  assert.is(run("--", "--help").out, '[{"size":"1","dry":false},["--help"]]\n');
});

test("what makes no sense is one sentence, how the command is called, and exit code 2", () => {
  for (const [args, sentence] of [
    [["misuse"], "A thing must be round."],
    [["--nope"], "There is no option --nope."],
    [["--nope=secret"], "There is no option --nope."],
    [["-x"], "There is no option -x."],
    [["--size"], "--size needs a value."],
    [
      ["--size", "--dry"],
      "--size needs a value; one that begins with a dash is written --size=-….",
    ],
    [["--dry=1"], "--dry takes no value."],
  ] as const) {
    const { code, out, err } = run(...args);
    assert.equal(
      [code, out, err],
      [2, "", `${sentence}\n\nUsage: npm run x -- [THING]\n--help says more.\n`],
    );
  }
});

test("what fails is one sentence and exit code 1; a bug shows where it is", () => {
  assert.equal(run("fail"), { code: 1, out: "", err: "The thing broke\n" });
  const { code, err } = run("bug");
  assert.is(code, 1);
  assert.match(err, /^TypeError: Cannot read properties of undefined[^]*\n +at /);
});

const problemOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as Error).message;
  }
  throw new Error("it was taken");
};

test("whole numbers are read within their bounds", () => {
  const read = (text: string) => wholeNumber("--batch", text, { min: 1, max: 1_000 });
  assert.equal(["1", "1000", "1_000", "007"].map(read), [1, 1_000, 1_000, 7]);
  for (const text of ["0", "1001", "-1", "1.5", "1e2", " 1", "", "x", "_1", "9".repeat(30)]) {
    const told = text === "" ? "empty" : text;
    assert.is(
      problemOf(() => read(text)),
      `--batch must be a whole number from 1 to 1000, not ${told}`,
    );
  }
});

test("decimal numbers are read within their bounds", () => {
  const read = (text: string) => decimalNumber("--share", text, { min: 0, max: 1 });
  assert.equal(["0", "1", "0.5", ".25", "1.0"].map(read), [0, 1, 0.5, 0.25, 1]);
  for (const text of ["1.1", "-0.1", "x", "", "1e-1", "Infinity", "NaN", "0x1"]) {
    assert.match(
      problemOf(() => read(text)),
      "--share must be a number from 0 to 1, not ",
    );
  }
});

test("the address of a service is an origin, and one that is wrong is not repeated", () => {
  assert.is(httpOrigin("--url", "http://[::1]:3000").host, "[::1]:3000");
  assert.is(httpOrigin("--url", "https://a.example/").origin, "https://a.example");
  for (const text of ["", "x", "ftp://a", "http://a/path", "http://a/?x", "http://user:pw@a"]) {
    assert.is(
      problemOf(() => httpOrigin("--url", text)),
      "--url must be a URL such as http://127.0.0.1:3000, without a path",
    );
  }
});

test("a surplus argument is named", () => {
  noMore([]);
  assert.is(
    problemOf(() => noMore(["x".repeat(100), "y"])),
    `There is one argument too many: ${"x".repeat(60)}…`,
  );
});

test.run();
