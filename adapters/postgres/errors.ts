import { DatabaseError } from "pg";

import { InvariantViolated } from "../../core/invariant.ts";
import { type Diagnosis, type FaultKind, makeAskStore } from "../../core/store_failure.ts";

/**
 * What to do about a failed statement. `refuse`: its data would fail again. `retry`: the connection
 * or transaction broke, and a new one may succeed. `wait`: the condition passes by itself, but not
 * immediately. `mend`: only a person can fix it.
 */
export type Remedy = "refuse" | "retry" | "wait" | "mend";

// By SQLSTATE; the longest prefix wins.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const REMEDIES: Readonly<Record<string, Remedy>> = {
  "08": "retry", // connection exception
  "08P01": "mend", // protocol violation: a pooler that does not support what we send
  "21": "refuse", // cardinality violation
  "22": "refuse", // data exception
  "23": "refuse", // integrity constraint violation
  "25006": "wait", // read-only: a standby that is not promoted yet
  "25P03": "retry", // the session was ended: idle in a transaction for too long
  "25P04": "retry", // the session was ended: its transaction took too long
  "40": "retry", // rolled back: serialization, deadlock
  "53": "wait", // insufficient resources: disk full, out of memory
  "53300": "retry", // too many connections
  "54": "refuse", // program limit exceeded, such as an index row that is too large
  "55": "wait", // not in prerequisite state: no connections accepted, object in use, lock not available
  "57": "wait", // operator intervention: a statement timeout, a cancel
  "57P01": "retry", // the server is shutting down, or an administrator ended the session
  "57P02": "retry", // the server crashed
  "57P03": "retry", // the server is starting
  "58": "wait", // system error, such as an I/O error
};

// What a person has to fix, also by SQLSTATE, for errors that are neither retried nor waited for.
const FAULTS: Readonly<Record<string, FaultKind>> = {
  "08P01": "session", // a pooler refuses what we send
  "0A": "schema", // feature not supported
  "21": "data",
  "22": "data",
  "22021": "data",
  "23": "data",
  "26": "session", // a prepared statement is missing: a pooler shares the session
  "28": "rights", // wrong password, or not admitted
  "3D": "schema", // no such database
  "3F": "schema", // no such schema
  "42": "schema", // no such table, column or function
  "42501": "rights", // insufficient privilege
  "42P05": "session", // a prepared statement exists already: a pooler shares the session
  "54": "data",
  F0: "server", // a configuration file
  XX: "server", // internal error, corrupted data
};

// The errors of the driver itself carry no code.
const BROKEN_MESSAGE = /terminated|not queryable|error establishing an SSL/i;
const LATE_MESSAGE = /timeout/i;
const ENDING_MESSAGE = /after calling end/i;

const bySqlState = <A>(table: Readonly<Record<string, A>>, code: string): A | undefined =>
  table[code] ?? table[code.slice(0, 2)];

/** The database takes no writes for now, as a standby or read-only. No session on it is used. */
export class DatabaseReadOnly extends Error {
  override readonly name = "DatabaseReadOnly";

  constructor(why: "standby" | "setting") {
    super(
      why === "standby"
        ? "the database is a standby in recovery, which takes no writes"
        : "the database takes no writes: default_transaction_read_only is on",
    );
  }
}

/** Another server has replaced this session's, or this session's has been replaced. */
export class DatabaseReplaced extends Error {
  override readonly name = "DatabaseReplaced";
}

/** The remedy for an error of the database or the connection. The only place that decides it. */
export const remedyOf = (error: unknown): Remedy => {
  if (!(error instanceof Error)) return "mend";
  if (error instanceof DatabaseReadOnly) return "wait";
  if (error instanceof DatabaseReplaced) return "retry";
  // Node tried several addresses.
  if (error instanceof AggregateError && error.errors.length > 0) return remedyOf(error.errors[0]);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) {
    // A statement was prepared before a table changed. Its connection is dropped, and a new one
    // prepares it again.
    if (error.routine === "RevalidateCachedQuery") return "retry";
    return bySqlState(REMEDIES, code) ?? "mend";
  }
  // The network: refused, reset, unknown host. Other codes are TLS errors or bugs.
  if (/^(?:E[A-Z]+|EAI_[A-Z]+|ERR_SOCKET_[A-Z_]+|ERR_STREAM_[A-Z_]+)$/.test(code)) return "retry";
  // pg-boss lost the database while it started. It reads its queues again by itself.
  if (code === "ERR_ASSERTION" && /cache is not initialized/i.test(error.message)) return "wait";
  if (code !== "") return "mend";
  if (BROKEN_MESSAGE.test(error.message)) return "retry";
  // No connection or no answer in time: another attempt would only wait as long again.
  return LATE_MESSAGE.test(error.message) || ENDING_MESSAGE.test(error.message) ? "wait" : "mend";
};

/**
 * What a failed statement says about the database: it is unavailable for a while, it has a fault
 * that a person has to fix, or nothing, because the failure is a bug of ours.
 */
export const diagnose = (error: unknown): Diagnosis => {
  const remedy = remedyOf(error);
  if (remedy === "retry" || remedy === "wait") return "away";
  if (error instanceof DatabaseError) return bySqlState(FAULTS, error.code ?? "") ?? "unexpected";
  if (isBug(error)) return "defect";
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? "connection"
    : "unexpected";
};

/** Errors of JavaScript, and failed assertions. Those with a code are Node's, for bad arguments. */
const isBug = (error: unknown): boolean =>
  (error instanceof InvariantViolated ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError ||
    (error instanceof Error && error.name === "AssertionError")) &&
  !("code" in error && error.code !== "ERR_ASSERTION");

/** Whether a statement gave up waiting for a lock. */
export const isLockTimeout = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "55P03";

/** Whether the server ended a statement because it took too long. */
export const isStatementTimeout = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "57014";

/** Whether the server refused a connection because some limit of connections is reached. */
export const isTooManyConnections = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "53300";

/** Whether a statement failed because of its data, so that a retry would fail as well. */
export const isDataFault = (error: unknown): boolean => remedyOf(error) === "refuse";

/** Makes queries of Postgres into effects; their failures become errors of one class of a port. */
export const failingAs = makeAskStore(diagnose);
