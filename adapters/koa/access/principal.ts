import { Result } from "effect";
import type { Context } from "koa";

import {
  ANYONE,
  covers,
  hasScope,
  type Principal,
  type Scope,
} from "../../../core/access/principal.ts";
import type { RequestFault } from "../response/problem.ts";
import { addressOf } from "./client_address.ts";

const NOBODY: Principal = { ...ANYONE, scopes: new Set() };

/** Notes who a request comes from, once that is known. */
export const enter = (ctx: Context, principal: Principal): void => {
  ctx.state["principal"] = principal;
};

/** Who a request comes from; somebody without any right until that is known. */
export const principalOf = (ctx: Context): Principal =>
  (ctx.state["principal"] as Principal | undefined) ?? NOBODY;

/** The client that a request comes from, as `Client` of core names it. */
export const clientOf = (ctx: Context): string => {
  const { keyId } = principalOf(ctx);
  return keyId === undefined ? `address:${addressOf(ctx)}` : `key:${keyId}`;
};

/** Whether whoever asks may do such a thing, and to such an account if it is about one. */
export const authorise = (
  ctx: Context,
  scope: Scope,
  accountId?: string,
): Result.Result<Principal, RequestFault> => {
  const principal = principalOf(ctx);
  if (!hasScope(principal, scope)) return Result.fail({ _tag: "ScopeMissing", scope });
  return accountId === undefined || covers(principal, accountId)
    ? Result.succeed(principal)
    : Result.fail({ _tag: "AccountForbidden" });
};

/** Whether a client may do a thing that concerns all accounts: a key for some of them is not enough. */
export const authoriseForAll = (
  ctx: Context,
  scope: Scope,
): Result.Result<Principal, RequestFault> =>
  Result.flatMap(authorise(ctx, scope), (principal) =>
    principal.accounts._tag === "All"
      ? Result.succeed(principal)
      : Result.fail({ _tag: "AccountForbidden" }),
  );
