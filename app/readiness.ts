import { setTimeout as sleep } from "node:timers/promises";

import type { Readiness } from "../adapters/koa/routes/route.ts";
import { DatabaseReadOnly, DatabaseReplaced, diagnose } from "../adapters/postgres/errors.ts";
import type { Database, Statement } from "../adapters/postgres/pool.ts";
import type { StatementPool } from "../adapters/postgres/statement_pool.ts";
import { messageOf } from "../core/printable.ts";
import type { Diagnosis } from "../core/store_failure.ts";
import type { Health, Phase } from "./phase.ts";

/** Whether the service can do its work, and why not. */
export const checkReadiness = async (phase: Phase): Promise<Readiness> => {
  if (phase._tag === "Starting") {
    return { ready: false, checks: { service: `starting: ${phase.reason}` } };
  }
  if (phase._tag === "Stopping") return { ready: false, checks: { service: "stopping" } };
  return checkHealth(phase.application.health);
};

/** Whether a service that runs can do its work. */
export const checkHealth = async (health: Health): Promise<Readiness> => {
  const database = await health.database();
  const faults = health.faults?.() ?? {};
  return {
    ready: database === "ok" && Object.keys(faults).length === 0,
    checks: {
      database,
      migrations: "ok",
      // Reported only: without Redis everything still works.
      ...(health.redis && { redis: health.redis() }),
      // A process whose worker or projector ends, ends itself.
      ...Object.fromEntries([...health.roles].map((role) => [role, "ok"])),
      ...faults,
    },
  };
};

/**
 * How long the answer of a database is reused, in milliseconds: anyone may request readiness, as
 * often as they like.
 */
const REUSED_MS = 250;

type PoolEvidence = Pick<StatementPool, "hungCount" | "silentMs" | "answerTimeoutMs">;

/** What else is known of the database. */
export interface DatabaseEvidence {
  /** By purpose: the service needs answers from all of these pools. */
  readonly pools: Readonly<Record<string, PoolEvidence>>;
  /** Operations that cannot succeed, with their causes. */
  readonly faults: () => ReadonlyArray<string>;
}

const NO_EVIDENCE: DatabaseEvidence = { pools: {}, faults: () => [] };

/**
 * Checks whether the service can do its work with a database: whether it answers, accepts writes
 * and grants the rights that the service needs, and whether recent statements were answered.
 * Requests at about the same time share one statement.
 */
export const databaseHealth = (
  database: Database,
  evidence: DatabaseEvidence = NO_EVIDENCE,
): (() => Promise<string>) =>
  singleFlight(REUSED_MS, async () => {
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

/** Failures of a database that can be reached. */
const REFUSALS: ReadonlySet<Diagnosis> = new Set(["rights", "schema", "session", "server"]);

/** How long readiness waits for a database, which may take longer to report that it hangs. */
const PING_TIMEOUT_MS = 2_000;

const reach = async (database: Database): Promise<string> => {
  const late = sleep(PING_TIMEOUT_MS, `no answer within ${PING_TIMEOUT_MS} ms`, { ref: false });
  return Promise.race([queryState(database), late]);
};

const queryState = async (database: Database): Promise<string> => {
  try {
    const [state] = await database.query<State>(STATE, PARAMETERS);
    return stateOf(state);
  } catch (error) {
    if (error instanceof DatabaseReadOnly) return `read-only: ${messageOf(error)}`;
    if (error instanceof DatabaseReplaced) return `replaced: ${messageOf(error)}`;
    // The message may name the host, which is no secret; it never contains the password.
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

/** The rights without which the service cannot accept, append, count or read. */
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
 * Checks what a write needs to commit, and writes nothing: it runs four times a second in each
 * process. Rights on objects that do not exist count as missing.
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
  /** Objects that the role lacks a right on. */
  readonly missing: ReadonlyArray<string>;
}

/**
 * Shares one run among all callers that come while it runs, or within `reusedMs` after it
 * succeeded. Not `Effect.cachedWithTTL`, which reads the wall clock: set back an hour, it would
 * repeat an old answer for an hour.
 */
export const singleFlight = <A>(reusedMs: number, run: () => Promise<A>): (() => Promise<A>) => {
  let running: Promise<A> | undefined;
  let last: { readonly answer: A; readonly at: number } | undefined;
  return async () => {
    if (last !== undefined && performance.now() - last.at < reusedMs) return last.answer;
    running ??= run()
      .then((answer) => {
        last = { answer, at: performance.now() };
        return answer;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
};
