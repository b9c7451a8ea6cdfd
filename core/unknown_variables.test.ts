import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  describeUnknown,
  editsBetween,
  nearestName,
  unknownVariables,
} from "./unknown_variables.ts";

const test = suite("unknown variables");

const SETTINGS = ["HOST", "PORT", "AUTH", "ROLES", "DATABASE_URL", "DATA_DIR", "QUEUE_DEPTH_MAX"];

const reported = (environment: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  unknownVariables(environment, SETTINGS).map(describeUnknown);

test("a mistyped setting is reported with the intended one, and without its value", () => {
  const given = { AUHT: "required", QUEUE_DEPHT_MAX: "1", AUTH: "optional", DATABSE_URL: "secret" };
  assert.equal(reported(given), [
    "AUHT is not a setting of Tidemark and is ignored; did you mean AUTH?",
    "QUEUE_DEPHT_MAX is not a setting of Tidemark and is ignored; did you mean QUEUE_DEPTH_MAX?",
    "DATABSE_URL is not a setting of Tidemark and is ignored; did you mean DATABASE_URL?",
  ]);
});

test("a name with the prefix TIDEMARK_ is reported, whatever it resembles", () => {
  assert.equal(reported({ TIDEMARK_PORT: "80", TIDEMARK_COLOUR: "red" }), [
    "TIDEMARK_PORT is not a setting of Tidemark and is ignored; did you mean PORT?",
    "TIDEMARK_COLOUR is not a setting of Tidemark and is ignored",
  ]);
});

test("variables that Kubernetes sets for services are not reported", () => {
  const injected = {
    TIDEMARK_PORT: "tcp://10.0.0.7:3000",
    TIDEMARK_SERVICE_HOST: "10.0.0.7",
    TIDEMARK_SERVICE_PORT_HTTP: "3000",
    TIDEMARK_PORT_3000_TCP_ADDR: "10.0.0.7",
  };
  assert.equal(reported(injected), []);
});

const KNOWN = ["AUTH", "HOST", "PORT", "DATABASE_URL", "QUEUE_DEPTH_MAX", "SHUTDOWN_DELAY_MS"];

test("a mistyped name is recognised", () => {
  for (const [given, meant] of [
    ["AUHT", "AUTH"],
    ["auth", "AUTH"],
    ["PROT", "PORT"],
    ["DATABSE_URL", "DATABASE_URL"],
    ["DATABASEURL", "DATABASE_URL"],
    ["QUEUE_DEPHT_MAX", "QUEUE_DEPTH_MAX"],
    ["QUEUE_DEPTH", "QUEUE_DEPTH_MAX"],
    ["SHUTDOWN_DELAY", "SHUTDOWN_DELAY_MS"],
  ] as const) {
    assert.is(nearestName(given, KNOWN), meant, given);
  }
});

test("a name that is merely short, or shares a word, is not recognised", () => {
  for (const given of ["PATH", "HOME", "HOSTNAME", "BASE_URL", "SHUTDOWN", "QUEUE", "DATABASE", ""])
    assert.is(nearestName(given, KNOWN), undefined, given);
});

const text = fc.string({ unit: fc.constantFrom("A", "B", "C"), maxLength: 6 });

test("one edit is one edit, in both directions", () => {
  const edits = (word: string, at: number): ReadonlyArray<string> => {
    const [before, letter = "", next = "", after] = [
      word.slice(0, at),
      word[at],
      word[at + 1],
      word.slice(at + 2),
    ];
    return [
      `${before}X${letter}${next}${after}`,
      before + next + after,
      `${before}X${next}${after}`,
    ];
  };
  fc.assert(
    fc.property(
      text.filter(({ length }) => length > 0),
      fc.nat(),
      (word, n) => {
        for (const edited of edits(word, n % word.length)) assert.is(editsBetween(word, edited), 1);
      },
    ),
  );
  assert.is(editsBetween("AUHT", "AUTH"), 1);
});

test("the distance is symmetric, zero only for equal texts, and at most the length of the longer text", () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      const edits = editsBetween(one, other);
      assert.is(edits, editsBetween(other, one));
      assert.is(edits === 0, one === other);
      assert.ok(edits <= Math.max(one.length, other.length));
      assert.ok(edits >= Math.abs(one.length - other.length));
    }),
  );
});

test.run();
