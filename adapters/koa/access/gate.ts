import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

import { Effect, Result } from "effect";
import type { Context, Middleware } from "koa";

import type { Access } from "../../../core/access/access.ts";
import { ANYONE, type Principal } from "../../../core/access/principal.ts";
import { problemOf, type RequestFault } from "../response/problem.ts";
import { sendProblem } from "../response/respond.ts";
import { credentialOf } from "./credential.ts";
import { isPublicName } from "./dns_rebinding.ts";
import { enter } from "./principal.ts";
import type { RateLimit } from "./rate_limit.ts";

/** What anybody may ask for, as often as they like: it tells nothing of any account. */
const PUBLIC_PATHS: ReadonlySet<string> = new Set([
  "/healthz",
  "/readyz",
  "/openapi.json",
  "/docs",
  "/docs/",
]);

/** Who sends a request, if that is somebody known already, and not counted. */
export type Known = (request: IncomingMessage) => Principal | undefined;

/** Stands before the routes, in two halves: who is known passes the first without a word to wait for. */
export interface Gate {
  readonly known: Known;
  /** Finds out who all others are and whether they ask too much; refuses them, or lets them pass. */
  readonly admit: Middleware;
}

export interface GateOptions {
  readonly access: Access["Service"];
  readonly rateLimit: RateLimit;
  /** Whether proxies stand before the service, and koa has to find out who asks. */
  readonly isBehindProxies: boolean;
  /** Other names than localhost that the service is open under while there is no key, in lower case. */
  readonly allowedHosts: ReadonlySet<string>;
}

/**
 * How many keys that nobody has seen are looked up in a second, whoever sends them. Beyond it those are refused at once
 * that come from an address which asks too much: guesses must not keep the database busy, and behind one address there
 * may be a good key among them.
 */
const STRANGERS_PER_SECOND = 20;

export const makeGate = (options: GateOptions): Gate => {
  const { access, rateLimit, isBehindProxies, allowedHosts } = options;
  const mayLook = makeBudget(STRANGERS_PER_SECOND);
  const known: Known = ({ headers, socket }) => {
    const principal = access.known(credentialOf(headers.authorization));
    if (principal === undefined || refusalOf(headers, principal, allowedHosts)) return undefined;
    if (principal.keyId === undefined && isBehindProxies) return undefined;
    return rateLimit.applies(socket.remoteAddress ?? "", principal) ? undefined : principal;
  };
  return {
    known,

    admit: async (ctx, next) => {
      const passes = known(ctx.req);
      if (passes !== undefined) enter(ctx, passes);
      if (passes !== undefined || PUBLIC_PATHS.has(ctx.path)) return next();
      const key = credentialOf(ctx.req.headers.authorization);
      if (!access.remembers(key) && !mayLook()) {
        const retryAfterSeconds = rateLimit.refused(ctx);
        if (retryAfterSeconds !== undefined) return refuse(ctx, retryAfterSeconds);
      }
      const authenticated = await Effect.runPromise(Effect.result(access.authenticate(key)));
      const principal = Result.getOrUndefined(authenticated);
      // Who comes with a bad key is counted like anybody else, or keys could be guessed for ever.
      if (rateLimit.applies(ctx.ip, principal)) {
        const retryAfterSeconds = await rateLimit.count(ctx, principal);
        if (retryAfterSeconds !== undefined) return refuse(ctx, retryAfterSeconds);
      }
      if (Result.isFailure(authenticated)) {
        sendProblem(ctx, problemOf(authenticated.failure));
        return undefined;
      }
      const refusal = refusalOf(ctx.req.headers, authenticated.success, allowedHosts);
      if (refusal !== undefined) {
        sendProblem(ctx, problemOf(refusal));
        return undefined;
      }
      enter(ctx, authenticated.success);
      return next();
    },
  };
};

/** Says whether there may be one more in this second. */
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

const refuse = (ctx: Context, retryAfterSeconds: number): undefined => {
  sendProblem(ctx, problemOf({ _tag: "RateLimited", retryAfterSeconds }));
  return undefined;
};

/** What proxies add to a request. */
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
 * Why a service that is open to its own machine, for want of a key, is not open to this request: a page of some web site
 * may have made a browser on the machine send it, or a proxy on the machine may have passed on what came from elsewhere.
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

/** Of a service that is starting, and has nothing behind the gate. */
export const letAnyoneIn: Middleware = (ctx, next) => {
  enter(ctx, ANYONE);
  return next();
};
