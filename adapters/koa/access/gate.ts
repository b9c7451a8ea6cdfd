import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

import { Effect, Result } from "effect";
import type { Context, Middleware, Next } from "koa";

import type { Access } from "../../../core/access/access.ts";
import { ANYONE, type Principal } from "../../../core/access/principal.ts";
import { problemOf, type RequestFault } from "../response/problem.ts";
import { sendProblem } from "../response/reply.ts";
import { inRequest } from "../response/respond.ts";
import { isPublicName } from "./dns_rebinding.ts";
import { setPrincipal } from "./principal.ts";
import type { RateLimit } from "./rate_limit.ts";

export interface GateOptions {
  readonly access: Access["Service"];
  readonly rateLimit: RateLimit;
  /** Paths that need no key and are not rate limited. */
  readonly publicPaths: ReadonlySet<string>;
  /** Whether the service is behind proxies, so that only koa knows the client's address. */
  readonly isBehindProxies: boolean;
  /** Lower-case names that the service accepts in Host besides localhost while no key exists. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Runs an effect with the context of the service. */
  readonly run: <A>(effect: Effect.Effect<A>) => Promise<A>;
}

/**
 * How many unknown keys are looked up in a second, whoever sends them. Beyond it, requests from
 * addresses over their limit are refused without a look-up: guesses must not keep the database
 * busy, but a good key may share their address.
 */
const UNKNOWN_KEYS_PER_SECOND_MAX = 20;

/**
 * Identifies the principal of each request, and refuses requests without one or over the rate
 * limit. A request whose key is known and not counted passes synchronously.
 */
export const makeGate = (options: GateOptions): Middleware => {
  const { access, rateLimit, publicPaths, isBehindProxies, allowedHosts, run } = options;
  const mayLookUp = makeBudget(UNKNOWN_KEYS_PER_SECOND_MAX);

  const knownPrincipal = ({ headers, socket }: IncomingMessage): Principal | undefined => {
    const principal = access.known(credentialOf(headers.authorization));
    if (principal === undefined || refusalOf(headers, principal, allowedHosts)) return undefined;
    if (principal.keyId === undefined && isBehindProxies) return undefined;
    return rateLimit.applies(socket.remoteAddress ?? "", principal) ? undefined : principal;
  };

  const identify = async (ctx: Context, next: Next): Promise<void> => {
    const key = credentialOf(ctx.req.headers.authorization);
    if (!access.remembers(key) && !mayLookUp()) {
      const retryAfterSeconds = rateLimit.refused(ctx);
      if (retryAfterSeconds !== undefined) {
        return refuse(ctx, { _tag: "RateLimited", retryAfterSeconds });
      }
    }
    const authenticated = await run(inRequest(ctx, Effect.result(access.authenticate(key))));
    const principal = Result.getOrUndefined(authenticated);
    // Requests with a bad key count, too, or keys could be guessed without limit.
    if (rateLimit.applies(ctx.ip, principal)) {
      const retryAfterSeconds = await rateLimit.count(ctx, principal);
      if (retryAfterSeconds !== undefined) {
        return refuse(ctx, { _tag: "RateLimited", retryAfterSeconds });
      }
    }
    if (Result.isFailure(authenticated)) return refuse(ctx, authenticated.failure);
    const refusal = refusalOf(ctx.req.headers, authenticated.success, allowedHosts);
    if (refusal !== undefined) return refuse(ctx, refusal);
    setPrincipal(ctx, authenticated.success);
    return next();
  };

  return (ctx, next) => {
    const known = knownPrincipal(ctx.req);
    if (known !== undefined) setPrincipal(ctx, known);
    return known !== undefined || publicPaths.has(ctx.path) ? next() : identify(ctx, next);
  };
};

const refuse = (ctx: Context, failure: Parameters<typeof problemOf>[0]): void => {
  sendProblem(ctx, problemOf(failure));
};

/** Says whether one more is allowed in this second. */
const makeBudget = (perSecond: number): (() => boolean) => {
  let second = 0;
  let taken = 0;
  return () => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) taken = 0;
    second = now;
    return ++taken <= perSecond;
  };
};

/**
 * The key that a request carries: as a bearer token, or as the user name of Basic, which ingestion
 * clients send.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 * @see https://www.rfc-editor.org/rfc/rfc7617#section-2
 */
const credentialOf = (authorization: string | undefined): string | undefined => {
  if (authorization === undefined) return undefined;
  const [, scheme = "", value = ""] = /^([a-z]+) +([\x21-\x7e]+) *$/i.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic": {
      const [user = ""] = Buffer.from(value, "base64").toString("utf8").split(":");
      return user === "" ? undefined : user;
    }
    default:
      return undefined;
  }
};

/** Headers that proxies add. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "cf-connecting-ip",
  "true-client-ip",
] as const;

/**
 * A service without keys is open to its own machine. Returns why it is not open to this request: a
 * web page may have made a browser on the machine send it, or a proxy on the machine may have
 * forwarded it.
 */
const refusalOf = (
  headers: IncomingHttpHeaders,
  principal: Principal,
  allowedHosts: ReadonlySet<string>,
): RequestFault | undefined => {
  if (principal !== ANYONE) return undefined;
  if (isPublicName(headers.host, allowedHosts)) return { _tag: "HostForbidden" };
  const header = PROXY_HEADERS.find((name) => headers[name] !== undefined);
  return header === undefined ? undefined : { _tag: "ProxyForbidden", header };
};

/** The gate of a service that is starting: it has nothing to protect yet. */
export const openGate: Middleware = (ctx, next) => {
  setPrincipal(ctx, ANYONE);
  return next();
};
