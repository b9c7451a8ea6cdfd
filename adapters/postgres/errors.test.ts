import { DatabaseError } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Remedy, remedyOf } from "./errors.ts";

const test = suite("remedyOf");

const withState = (code: string): DatabaseError =>
  Object.assign(new DatabaseError("it says so", 0, "error"), { code });

for (const [remedy, states] of Object.entries({
  refuse: ["22P05", "22021", "23505", "21000", "54000"],
  retry: ["08006", "40001", "40P01", "53300", "57P01", "57P02", "57P03"],
  wait: ["25006", "53100", "53200", "55P03", "57014", "58030"],
  mend: ["28P01", "3D000", "42P01", "42501", "XX000", "XX001"],
} satisfies Record<Remedy, string[]>)) {
  test(`SQLSTATEs that say ${remedy}`, () => {
    for (const state of states) assert.is(remedyOf(withState(state)), remedy, state);
  });
}

test("the network and the driver", () => {
  const withCode = (code: string) => Object.assign(new Error("it says so"), { code });
  for (const code of ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "EAI_AGAIN"]) {
    assert.is(remedyOf(withCode(code)), "retry", code);
  }
  assert.is(remedyOf(withCode("ERR_TLS_CERT_ALTNAME_INVALID")), "mend");
  assert.is(remedyOf(new Error("Connection terminated unexpectedly")), "retry");
  assert.is(
    remedyOf(new Error("Client has encountered a connection error and is not queryable")),
    "retry",
  );
  assert.is(remedyOf(new Error("timeout exceeded when trying to connect")), "wait");
  assert.is(remedyOf(new Error("Query read timeout")), "wait");
  assert.is(remedyOf(new TypeError("x is not a function")), "mend");
  assert.is(remedyOf("no error"), "mend");
});

test.run();
