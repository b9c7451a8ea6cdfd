import type { Context } from "koa";

import {
  ANYONE,
  covers,
  hasScope,
  type Principal,
  type Scope,
} from "../../../core/access/principal.ts";
import { accountIdProblem } from "../../../core/event/identifier.ts";
import { invalidParameter, pathParameter } from "../request/parameters.ts";
import type { RequestFault } from "../response/problem.ts";
import { addressOf } from "./client_address.ts";

/** What a route demands of a request. "public" demands nothing, not even a key. */
export type Requirement =
  | "public"
  | {
      /** One of these is enough. */
      readonly scopes: ReadonlyArray<Scope>;
      /** "path": the account `{id}` of the path. "all": a key for some accounts is not enough. */
      readonly accounts?: "path" | "all";
    };

const NOBODY: Principal = { ...ANYONE, scopes: new Set() };

export const setPrincipal = (ctx: Context, principal: Principal): void => {
  ctx.state["principal"] = principal;
};

/** The principal of a request; one without any rights until the gate has identified it. */
export const principalOf = (ctx: Context): Principal =>
  (ctx.state["principal"] as Principal | undefined) ?? NOBODY;

/** The client of a request, as `Client` of core names it. */
export const clientOf = (ctx: Context): string => {
  const { keyId } = principalOf(ctx);
  return keyId === undefined ? `address:${addressOf(ctx)}` : `key:${keyId}`;
};

/** Checks a request to a route; returns why it is refused. */
export const checkAccess = (ctx: Context, required: Requirement): RequestFault | undefined => {
  if (required === "public") return undefined;
  const { scopes, accounts } = required;
  const principal = principalOf(ctx);
  if (!scopes.some((scope) => hasScope(principal, scope))) return { _tag: "ScopeMissing", scopes };
  if (accounts === "all" && principal.accounts._tag !== "All") {
    return { _tag: "AllAccountsRequired" };
  }
  if (accounts !== "path") return undefined;
  const accountId = pathParameter(ctx, "id");
  const problem = accountIdProblem(accountId);
  if (problem !== undefined) return invalidParameter("account_id", problem);
  return covers(principal, accountId) ? undefined : { _tag: "AccountForbidden" };
};
