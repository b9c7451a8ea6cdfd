import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { DatabaseReadOnly, DatabaseReplaced, diagnose, type Remedy, remedyOf } from "./errors.ts";

const test = suite("remedyOf");

const withState = (code: string): DatabaseError =>
  Object.assign(new DatabaseError("it says so", 0, "error"), { code });

for (const [remedy, states] of Object.entries({
  refuse: ["22P05", "22021", "23505", "21000", "54000"],
  retry: ["08006", "25P03", "25P04", "40001", "40P01", "53300", "57P01", "57P02", "57P03"],
  wait: ["25006", "53100", "53200", "55000", "55006", "55P03", "57014", "58030"],
  mend: ["08P01", "28P01", "3D000", "42P01", "42501", "XX000", "XX001"],
} satisfies Record<Remedy, string[]>)) {
  test(`SQLSTATEs that say ${remedy}`, () => {
    for (const state of states) assert.is(remedyOf(withState(state)), remedy, state);
  });
}

test("the network and the driver", () => {
  const withCode = (code: string) => Object.assign(new Error("it says so"), { code });
  for (const code of [
    "ECONNREFUSED",
    "ECONNRESET",
    "EPIPE",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EAI_FAIL",
    "ERR_SOCKET_CONNECTION_TIMEOUT",
    "ERR_STREAM_DESTROYED",
  ]) {
    assert.is(remedyOf(withCode(code)), "retry", code);
  }
  assert.is(remedyOf(withCode("ERR_TLS_CERT_ALTNAME_INVALID")), "mend");
  assert.is(remedyOf(new Error("Connection terminated unexpectedly")), "retry");
  assert.is(
    remedyOf(new Error("Client has encountered a connection error and is not queryable")),
    "retry",
  );
  assert.is(remedyOf(new Error("There was an error establishing an SSL connection")), "retry");
  assert.is(remedyOf(new Error("timeout exceeded when trying to connect")), "wait");
  assert.is(remedyOf(new Error("Query read timeout")), "wait");
  assert.is(remedyOf(new TypeError("x is not a function")), "mend");
  assert.is(remedyOf("no error"), "mend");
  assert.is(remedyOf(new AggregateError([withCode("ECONNREFUSED"), withCode("EPERM")])), "retry");
  assert.is(remedyOf(new DatabaseReadOnly("standby")), "wait");
  assert.is(remedyOf(new DatabaseReplaced("a former primary")), "retry");
  assert.is(remedyOf(new Error("Cannot use a pool after calling end on the pool")), "wait");
});

for (const [diagnosis, states] of Object.entries({
  away: ["08006", "25006", "40001", "53100", "57014", "57P01", "58030"],
  rights: ["28P01", "28000", "42501"],
  schema: ["0A000", "3D000", "3F000", "42P01", "42703"],
  session: ["08P01", "26000", "42P05"],
  data: ["21000", "22021", "22P05", "23505", "54000"],
  server: ["F0000", "XX000", "XX001"],
  unexpected: ["P0001", "25P02", "HV000"],
})) {
  test(`SQLSTATEs that are diagnosed as ${diagnosis}`, () => {
    for (const state of states) assert.is(diagnose(withState(state)), diagnosis, state);
  });
}

test("an error that passes by itself is not a fault, whatever its code alone suggests", () => {
  const stalePlan = Object.assign(withState("0A000"), { routine: "RevalidateCachedQuery" });
  assert.is(diagnose(stalePlan), "away");
  const noQueues = Object.assign(new Error("Queue cache is not initialized"), {
    name: "AssertionError",
    code: "ERR_ASSERTION",
  });
  assert.is(diagnose(noQueues), "away");
});

test("a bug is a defect and does not count as an unavailable database", () => {
  for (const bug of [new TypeError("x is not a function"), new RangeError(), new SyntaxError()]) {
    assert.is(diagnose(bug), "defect", bug.name);
  }
  const tls = Object.assign(new TypeError("bad"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  assert.is(diagnose(tls), "connection");
  assert.is(diagnose(Object.assign(new Error(), { code: "ECONNREFUSED" })), "away");
  assert.is(diagnose(new Error("the shard has no checkpoint")), "unexpected");
});

test.run();
