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

test("what is moderate or worse is told, with why and what mends it", () => {
  for (const severity of ["moderate", "high", "critical"]) {
    assert.is(
      problemsIn(vulnerable(severity)),
      `${severity}: koa <3.4.0: ReDoS (https://github.com/advisories/GHSA-x); nothing mends it yet`,
    );
  }
  const fix = { name: "koa", version: "4.0.0" };
  assert.match(problemsIn(vulnerable("high", fix)), /; koa 4\.0\.0 mends it$/);
  assert.match(problemsIn(vulnerable("high", true, ["qs"])), /: by qs; npm audit fix mends it$/);
});

test("a registry that does not answer is told from one that knows of nothing", () => {
  const away = readAudit(JSON.stringify({ message: "405 Method Not Allowed", error: {} }));
  assert.equal(away, { _tag: "NotAnswered", reason: "405 Method Not Allowed" });
  for (const printed of ["", "{}", "no JSON"]) assert.is(readAudit(printed)._tag, "NotAnswered");
});

test.run();
