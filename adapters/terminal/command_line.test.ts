import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text as textOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { alternatives, decimalNumber, UsageError, wholeNumber } from "./command_line.ts";

const test = suite("commands");

const MODULE = fileURLToPath(new URL("command_line.ts", import.meta.url));

/** A program that prints its options and arguments, or fails as its argument says. */
const ONE = `
import { option, runCommand, UsageError } from ${JSON.stringify(MODULE)};
process.exitCode = await runCommand({
  name: "npm run x",
  about: "Does things.",
  arguments: { "[THING...]": "Things to do" },
  options: {
    sizeMax: option.whole("Largest size", { min: 1, max: 9, default: 1 }),
    share: option.decimal("Share to do", { min: 0, max: 1 }),
    only: option.list("NAMES", "Names to do"),
    json: option.text("FILE", "File to write"),
    dry: option.flag("Do nothing"),
  },
  run: (options, things, interrupted) => {
    switch (things[0]) {
      case "misuse": throw new UsageError("A thing must be round");
      case "fail": throw new Error("The thing broke");
      case "bug": return undefined.property;
      case "wait": {
        const timer = setInterval(() => {}, 1_000);
        console.log("waiting");
        return new Promise((resolve, reject) => {
          interrupted.addEventListener("abort", () => {
            clearInterval(timer);
            reject(new Error("aborted"));
          });
        });
      }
    }
    console.log(JSON.stringify([options, things]));
    return things.length === 0 ? undefined : 7;
  },
  onInterrupt: "finishing.",
  explain: (error) => error.message + " now",
});`;

/** A program with several commands. */
const SEVERAL = `
import { command, option, runCommands } from ${JSON.stringify(MODULE)};
const print = (name) => (options, args) => console.log(JSON.stringify([name, options, args]));
process.exitCode = await runCommands({
  name: "npm run y",
  about: "Manages things.",
  commands: {
    list: command({ about: "Lists things", options: { json: option.flag("Print JSON") }, run: print("list") }),
    move: command({ about: "Moves a thing", arguments: { ID: "", "[TO]": "" }, run: print("move") }),
  },
  sections: { Environment: [["SPEED", "How fast"]] },
  notes: "That is all.",
  ...(process.env.BY_DEFAULT ? { byDefault: process.env.BY_DEFAULT } : {}),
});`;

const argv = (program: string, args: ReadonlyArray<string>) => [
  "--input-type=module",
  "-e",
  program,
  "--",
  "program",
  ...args,
];

const run = (program: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv(program, args), {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { code: status, out: stdout, err: stderr };
};

test("a command gets its options and arguments, and its exit code is passed on", () => {
  const args = ["a", "--size-max", "3", "--only", "x,y", "--dry", "--only=z", "b", "--json=f"];
  const options = { sizeMax: 3, only: ["x", "y", "z"], json: "f", dry: true };
  assert.equal(run(ONE, args), {
    code: 7,
    out: `${JSON.stringify([options, ["a", "b"]])}\n`,
    err: "",
  });
  const defaults = { sizeMax: 1, only: [], dry: false };
  assert.equal(run(ONE, []), { code: 0, out: `${JSON.stringify([defaults, []])}\n`, err: "" });
  assert.is(run(ONE, ["--", "--help"]).out, `${JSON.stringify([defaults, ["--help"]])}\n`);
});

test("one of several commands is chosen by its name, or by default", () => {
  assert.is(run(SEVERAL, ["move", "1"]).out, '["move",{},["1"]]\n');
  assert.is(run(SEVERAL, ["--json", "list"]).out, '["list",{"json":true},[]]\n');
  assert.is(run(SEVERAL, ["--json"], { BY_DEFAULT: "list" }).out, '["list",{"json":true},[]]\n');
});

test("--help describes everything, whatever else is given", () => {
  const help = `Usage: npm run x -- [THING...] [OPTIONS]

Does things.

Arguments:
  [THING...]    Things to do

Options:
  --size-max N  Largest size (default 1)
  --share N     Share to do
  --only NAMES  Names to do
  --json FILE   File to write
  --dry         Do nothing
  --help        Show this text
`;
  for (const args of [["--help"], ["-h"], ["misuse", "--help"], ["--nonsense", "--help"]]) {
    assert.equal(run(ONE, args), { code: 0, out: help, err: "" });
  }
  assert.is(
    run(SEVERAL, ["--help"]).out,
    `Usage: npm run y -- COMMAND [OPTIONS]

Manages things.

Commands:
  list          Lists things
    --json      Print JSON
  move ID [TO]  Moves a thing

Environment:
  SPEED         How fast

Options:
  --help        Show this text

That is all.
`,
  );
});

test("lines of the help have at most 100 columns", () => {
  const long = SEVERAL.replace("Lists things", "Lists ".padEnd(300, "very many "));
  const { out } = run(long, ["--help"]);
  assert.ok(out.split("\n").every((line) => line.length <= 100));
  assert.match(out, /\n {16}very many very/);
});

test("invalid arguments are one sentence with the usage, and exit code 2", () => {
  for (const [args, sentence] of [
    [["misuse"], "A thing must be round."],
    [["--nope"], "Unknown option --nope."],
    [["--nope=secret"], "Unknown option --nope."],
    [["-x"], "Unknown option -x."],
    [["--json"], "--json needs a value."],
    [
      ["--json", "--dry"],
      "--json needs a value; write a value that begins with a dash as --json=-….",
    ],
    [["--dry=1"], "--dry takes no value."],
    [["--size-max", "0"], "--size-max must be a whole number from 1 to 9, not 0."],
    [["--share", "2"], "--share must be a number from 0 to 1, not 2."],
  ] as const) {
    assert.equal(run(ONE, args), {
      code: 2,
      out: "",
      err: `${sentence}\n\nUsage: npm run x -- [THING...] [OPTIONS]\nAdd --help for details.\n`,
    });
  }
  for (const [args, sentence, usage] of [
    [[], "Missing command; use list or move.", "COMMAND [OPTIONS]"],
    [["mint"], "Unknown command mint; use list or move.", "COMMAND [OPTIONS]"],
    [["move"], "Missing argument ID.", "move ID [TO]"],
    [["move", "1", "2", "3"], "Unexpected argument 3.", "move ID [TO]"],
    [["move", "1", "--json"], "--json is not an option of move.", "move ID [TO]"],
    [["list", "x".repeat(99)], `Unexpected argument ${"x".repeat(60)}….`, "list [OPTIONS]"],
  ] as const) {
    assert.equal(run(SEVERAL, args), {
      code: 2,
      out: "",
      err: `${sentence}\n\nUsage: npm run y -- ${usage}\nAdd --help for details.\n`,
    });
  }
});

test("a failure is one sentence and exit code 1, and a bug shows its stack", () => {
  assert.equal(run(ONE, ["fail"]), { code: 1, out: "", err: "The thing broke now\n" });
  const { code, err } = run(ONE, ["bug"]);
  assert.is(code, 1);
  assert.match(err, /^TypeError: Cannot read properties of undefined[^]*\n +at /);
});

test("a signal aborts the command, and makes its exit code 130", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = spawn(process.execPath, argv(ONE, ["wait"]));
    const err = textOf(child.stderr);
    await once(child.stdout, "data");
    child.kill(signal);
    assert.equal(await once(child, "exit"), [130, null]);
    assert.is(await err, `${signal}: finishing.\n`);
  }
});

const problemOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as Error).message;
  }
  throw new Error("The text was accepted");
};

test("whole numbers are read within their bounds", () => {
  const read = (text: string) => wholeNumber("--batch", text, { min: 1, max: 1_000 });
  assert.equal(["1", "1000", "1_000", "007"].map(read), [1, 1_000, 1_000, 7]);
  for (const text of ["0", "1001", "-1", "1.5", "1e2", " 1", "", "x", "_1", "9".repeat(30)]) {
    const shown = text === "" ? "empty" : text;
    assert.is(
      problemOf(() => read(text)),
      `--batch must be a whole number from 1 to 1000, not ${shown}`,
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

test("alternatives are joined as in a sentence", () => {
  assert.equal([["a"], ["a", "b"], ["a", "b", "c"]].map(alternatives), [
    "a",
    "a or b",
    "a, b or c",
  ]);
});

test.run();
