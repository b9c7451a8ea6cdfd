import { setTimeout as sleep } from "node:timers/promises";

import type { Readiness } from "../adapters/koa/routes/route.ts";
import { DatabaseReadOnly, DatabaseReplaced, diagnose } from "../adapters/postgres/errors.ts";
import type { Database, Statement } from "../adapters/postgres/pool.ts";
import type { StatementPool } from "../adapters/postgres/statement_pool.ts";
import type { Diagnosis } from "../core/store_failure.ts";
import { messageOf } from "../db/errors.ts";
import type { Role } from "./configuration.ts";
import { kept } from "./kept.ts";

/** Every right without which no batch can be accepted or appended, no event counted, or nothing read. */
const RIGHTS = [
  "schema tidemark usage",
  "schema read_models usage",
  "schema tidemark_queue usage",
  "function tidemark.append(smallint,text[],text[],text[],text[],float8[],bigint[],text[]) execute",
  "table tidemark.events select",
  "table tidemark.log_heads select",
  "table tidemark.api_keys select",
  "table tidemark.account_quotas select",
  ...["select", "update"].map((right) => `table read_models.checkpoints ${right}`),
  ...["select", "insert", "update"].map((right) => `table read_models.activity_by_type ${right}`),
  ...["select", "insert", "update", "delete"].map((right) => `table tidemark_queue.job ${right}`),
];

/**
 * Asks what is needed for a write to commit, and writes nothing: it runs four times a second in each process. A right on
 * what does not exist is missing as well.
 */
const STATE: Statement = {
  name: "readiness",
  text: `
    select
      pg_is_in_recovery() as standby,
      current_setting('transaction_read_only') = 'on' as "readOnly",
      array(
        select right_on from unnest($1::text[], $2::text[], $3::text[]) as r (kind, right_on, privilege)
        where not coalesce(case kind
          when 'schema' then has_schema_privilege(to_regnamespace(right_on), privilege)
          when 'function' then has_function_privilege(to_regprocedure(right_on), privilege)
          else has_table_privilege(to_regclass(right_on), privilege)
        end, false)
      ) as missing`,
};

const PARAMETERS = [0, 1, 2].map((i) => RIGHTS.map((right) => right.split(" ")[i] ?? ""));

interface State {
  readonly standby: boolean;
  readonly readOnly: boolean;
  /** What the role lacks a right on. */
  readonly missing: ReadonlyArray<string>;
}

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

type PoolEvidence = Pick<StatementPool, "hungCount" | "silentMs" | "answerTimeoutMs">;

/** What is known of the database beside what it answers to readiness itself. */
export interface DatabaseEvidence {
  /** By what they are for: pools whose statements must be answered for the service to do its work. */
  readonly pools: Readonly<Record<string, PoolEvidence>>;
  /** Operations that cannot succeed, with their causes. */
  readonly faults: () => ReadonlyArray<string>;
}

const NO_EVIDENCE: DatabaseEvidence = { pools: {}, faults: () => [] };

/**
 * Finds out whether the service can do its work with a database: whether it answers, takes writes and gives the rights that
 * are needed, and whether what was really asked of it lately was answered. One statement answers all who ask at about the
 * same time.
 */
export const reachabilityOf = (
  database: Database,
  evidence: DatabaseEvidence = NO_EVIDENCE,
): (() => Promise<string>) =>
  kept(KEPT_MS, async () => {
    const answer = await reach(database);
    return answer === "ok" ? (judge(evidence) ?? "ok") : answer;
  });

/** What speaks against a database that answers; undefined for nothing. */
const judge = ({ pools, faults }: DatabaseEvidence): string | undefined => {
  for (const [name, pool] of Object.entries(pools)) {
    const { hungCount, answerTimeoutMs } = pool;
    if (hungCount > 0) {
      return `hung: the server does not end ${hungCount} of the statements for the ${name}, such as a commit`;
    }
    const silentMs = pool.silentMs();
    if (silentMs > answerTimeoutMs) {
      return `hung: no statement for the ${name} was answered for ${Math.round(silentMs / 1_000)} s`;
    }
  }
  const [fault, ...others] = faults();
  if (fault === undefined) return undefined;
  return `failing: ${fault}${others.length > 0 ? ` (and ${others.length} more)` : ""}`;
};

/** What a database says that can be reached. */
const REFUSALS: ReadonlySet<Diagnosis> = new Set(["rights", "schema", "session", "server"]);

/** Who asks for readiness has little patience, and a database that hangs may take seconds to say so. */
const PING_TIMEOUT_MS = 2_000;

const reach = async (database: Database): Promise<string> => {
  const late = sleep(PING_TIMEOUT_MS, `no answer within ${PING_TIMEOUT_MS} ms`, { ref: false });
  return Promise.race([ask(database), late]);
};

const ask = async (database: Database): Promise<string> => {
  try {
    const [state] = await database.query<State>(STATE, PARAMETERS);
    return stateOf(state);
  } catch (error) {
    if (error instanceof DatabaseReadOnly) return `read-only: ${messageOf(error)}`;
    if (error instanceof DatabaseReplaced) return `replaced: ${messageOf(error)}`;
    // The message may name the host, which is no secret; it never holds the password.
    return `${REFUSALS.has(diagnose(error)) ? "failing" : "unreachable"}: ${messageOf(error)}`;
  }
};

const stateOf = (state: State | undefined): string => {
  if (state?.standby === true) return "read-only: the database is a standby in recovery";
  if (state?.readOnly === true) return "read-only: transactions of the database are read-only";
  if (state !== undefined && state.missing.length > 0) {
    return `the role lacks rights on ${[...new Set(state.missing)].join(", ")}`;
  }
  return "ok";
};
