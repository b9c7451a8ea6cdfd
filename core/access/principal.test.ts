import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type AccountBinding, ANYONE, covers, hasScope, type Principal } from "./principal.ts";

const test = suite("principal");

const bound = (accounts: AccountBinding): Principal => ({ ...ANYONE, keyId: "k", accounts });

test("a key for one account covers only that account, and no similar one", () => {
  const principal = bound({ _tag: "One", accountId: "acme" });
  assert.ok(covers(principal, "acme"));
  for (const other of ["", "acm", "acme2", "ACME", "acme ", "*"]) {
    assert.not.ok(covers(principal, other), other);
  }
});

test("a key for a prefix covers the accounts that start with it", () => {
  const principal = bound({ _tag: "Prefix", prefix: "acme-" });
  for (const one of ["acme-", "acme-eu", "acme-eu-1"]) assert.ok(covers(principal, one), one);
  for (const other of ["acme", "acm", "xacme-", ""]) assert.not.ok(covers(principal, other), other);
});

test("admin includes the other scopes, which include no others", () => {
  const admin: Principal = { ...ANYONE, scopes: new Set(["admin"]) };
  const reader: Principal = { ...ANYONE, scopes: new Set(["read"]) };
  for (const scope of ["write", "read", "admin"] as const) {
    assert.ok(hasScope(admin, scope));
    assert.is(hasScope(reader, scope), scope === "read");
  }
});

test.run();
