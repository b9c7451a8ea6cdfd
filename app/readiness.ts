import { setTimeout as sleep } from "node:timers/promises";

import type { Readiness } from "../adapters/koa/health.ts";
import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { messageOf } from "../db/errors.ts";
import type { Role } from "./configuration.ts";
import { kept } from "./kept.ts";

const PING: Statement = { name: "ping", text: "select 1" };

/** Where the service is between its start and its end. */
export type Phase =
  | { readonly _tag: "Starting"; readonly reason: string }
  | {
      readonly _tag: "Running";
      readonly roles: ReadonlySet<Role>;
      /** "ok", or how the database fails to answer: see `reachabilityOf`. */
      readonly reachable: () => Promise<string>;
      /** "ok" or what is wrong; undefined in a service without Redis. */
      readonly redis?: (() => string) | undefined;
      /** Why what runs in the background fails that a promise depends on, by its name. */
      readonly faults?: () => Readonly<Record<string, string>>;
    }
  | { readonly _tag: "Stopping" };

/** Looks whether the service can do its work: its phase, and whether the database answers. */
export const checkReadiness = async (phase: Phase): Promise<Readiness> => {
  if (phase._tag === "Starting") {
    return { ready: false, checks: { service: `starting: ${phase.reason}` } };
  }
  if (phase._tag === "Stopping") return { ready: false, checks: { service: "stopping" } };
  const answer = await phase.reachable();
  // The roles run: a process whose worker or projector ends, ends.
  const roles = [...phase.roles].map((role) => [role, "ok"] as const);
  // Told, but no reason to be taken out of service: everything goes on without it.
  const redis = phase.redis === undefined ? {} : { redis: phase.redis() };
  const faults = phase.faults?.() ?? {};
  return {
    ready: answer === "ok" && Object.keys(faults).length === 0,
    checks: {
      database: answer,
      migrations: "ok",
      ...redis,
      ...Object.fromEntries(roles),
      ...faults,
    },
  };
};

/** How long it is taken for granted that a database answers, or does not: anybody may ask, as often as they like. */
const KEPT_MS = 250;

/** Finds out whether a database answers; one statement answers all who ask at about the same time. */
export const reachabilityOf = (database: Database): (() => Promise<string>) =>
  kept(KEPT_MS, () => reach(database));

/** Who asks for readiness has little patience, and a database that hangs may take seconds to say so. */
const PING_TIMEOUT_MS = 2_000;

const reach = async (database: Database): Promise<string> => {
  const late = sleep(PING_TIMEOUT_MS, `no answer within ${PING_TIMEOUT_MS} ms`, { ref: false });
  return Promise.race([ping(database), late]);
};

const ping = async (database: Database): Promise<string> => {
  try {
    await database.query(PING, []);
    return "ok";
  } catch (error) {
    // The message may name the host, which is no secret; it never holds the password.
    return `unreachable: ${messageOf(error)}`;
  }
};
