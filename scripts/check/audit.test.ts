import { suite } from "uvu";
import * as assert from "uvu/assert";

import { readAudit } from "./audit.ts";

const test = suite("the audit of dependencies");

const advisory = { title: "ReDoS", url: "https://github.com/advisories/GHSA-x" };

const vulnerable = (severity: string, fixAvailable: unknown = false, via: unknown = [advisory]) =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: { koa: { name: "koa", severity, via, range: "<3.4.0", fixAvailable } },
  });

const problemsIn = (printed: string): string => {
  const audit = readAudit(printed);
  return audit._tag === "Answered" ? audit.problems : (assert.unreachable(audit.reason) as never);
};

test("dependencies without an advisory pass, and so do those with a low one", () => {
  assert.is(problemsIn(JSON.stringify({ auditReportVersion: 2, vulnerabilities: {} })), "");
  for (const severity of ["info", "low"]) assert.is(problemsIn(vulnerable(severity)), "");
});

test("vulnerabilities that are moderate or worse are reported with the reason and the fix", () => {
  for (const severity of ["moderate", "high", "critical"]) {
    assert.is(
      problemsIn(vulnerable(severity)),
      `${severity}: koa <3.4.0: ReDoS (https://github.com/advisories/GHSA-x); there is no fix yet`,
    );
  }
  const fix = { name: "koa", version: "4.0.0" };
  assert.match(problemsIn(vulnerable("high", fix)), /; koa 4\.0\.0 fixes it$/);
  assert.match(
    problemsIn(vulnerable("high", true, ["qs"])),
    /: through qs; npm audit fix fixes it$/,
  );
});

test("no answer of the registry is not the same as no vulnerability", () => {
  const away = readAudit(JSON.stringify({ message: "405 Method Not Allowed", error: {} }));
  assert.equal(away, { _tag: "NotAnswered", reason: "405 Method Not Allowed" });
  for (const printed of ["", "{}", "no JSON"]) assert.is(readAudit(printed)._tag, "NotAnswered");
});

test.run();
