import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readAudit } from "./audit.ts";

const test = suite("the audit of dependencies");

test("no vulnerability is no problem", () => {
  assert.is(readAudit({ code: 0, out: "found 0 vulnerabilities\n", err: "" }), "");
});

test("vulnerabilities are reported with npm's own report", () => {
  const out = "koa  <3.4.0\nSeverity: high\nReDoS - https://github.com/advisories/GHSA-x\n";
  assert.is(readAudit({ code: 1, out, err: "" }), out);
});

test("no answer of the registry skips the check, with the reason", () => {
  for (const reason of [
    "405 Method Not Allowed - POST https://a/bulk",
    "request to https://a failed",
  ]) {
    const err = `npm warn audit ${reason}\nnpm error audit endpoint returned an error\n`;
    assert.equal(readAudit({ code: 1, out: "", err }), { skipped: reason });
  }
});

test.run();
