import { Cause, Console, Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { loggerLayer } from "./logger.ts";

const test = suite("the log");

/** The output of a log entry. */
const printed = async (
  format: "pretty" | "json",
  entry: Effect.Effect<void>,
  level: "debug" | "info" = "info",
): Promise<string> => {
  const lines: string[] = [];
  const log = (...args: ReadonlyArray<unknown>): void => {
    lines.push(args.join(" "));
  };
  await Effect.runPromise(
    entry.pipe(
      Effect.provide(loggerLayer({ LOG_FORMAT: format, LOG_LEVEL: level })),
      Effect.provideService(Console.Console, { ...globalThis.console, log }),
    ),
  );
  return lines.join("\n");
};

test("the pretty format has a line for the message and indented lines for its details", async () => {
  const entry = Effect.logWarning("Redis is away").pipe(
    Effect.annotateLogs({ reason: "refused", port: 1, list: ["a", "b"] }),
  );
  assert.match(
    await printed("pretty", entry),
    /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: Redis is away\n {2}reason: refused\n {2}port: 1\n {2}list: \["a","b"\]$/,
  );
  assert.is(await printed("pretty", Effect.logDebug("x")), "");
  assert.match(await printed("pretty", Effect.logDebug("x"), "debug"), "DEBUG: x");
});

test("the JSON format is one line with all details", async () => {
  const entry = Effect.annotateLogs(Effect.logInfo("Redis is there"), { port: 1 });
  const line = JSON.parse(await printed("json", entry)) as Record<string, unknown>;
  assert.is(line["message"], "Redis is there");
  assert.is(line["level"], "INFO");
  assert.equal(line["annotations"], { port: 1 });
});

test("an entry has no empty field", async () => {
  const plain = Effect.logInfo("Redis is there");
  const line = JSON.parse(await printed("json", plain)) as Record<string, unknown>;
  assert.equal(Object.keys(line), ["timestamp", "level", "message"]);
  const unset = Effect.annotateLogs(plain, { problem: undefined });
  assert.not.match(await printed("json", unset), "annotations");
  assert.not.match(await printed("pretty", unset), "problem");
});

const FORGED = "[00:00:00.000] INFO: all is well";
const HOSTILE = `a\r\n${FORGED}\u2028${FORGED}\u0085\u001b[2J\u009b31m\u202e\u0000%s%c`;

test("logged text cannot forge a line or control a terminal", async () => {
  const error = new Error(HOSTILE, { cause: new Error(HOSTILE) });
  const entry = Effect.logError(HOSTILE, Cause.die(error)).pipe(
    Effect.annotateLogs({ path: HOSTILE, object: { [HOSTILE]: HOSTILE }, [HOSTILE]: 1 }),
  );
  for (const format of ["pretty", "json"] as const) {
    const text = await printed(format, entry);
    // oxlint-disable-next-line no-control-regex -- matching control characters is the point
    assert.not.match(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
    const lines = text.split("\n");
    if (format === "json") assert.is(lines.length, 1);
    for (const line of lines.slice(1)) assert.match(line, /^ {2}/);
    assert.match(text, "%s%c");
  }
});

test.run();
