import { DatabaseError } from "pg";

import type { Diagnosis, FaultKind } from "../../core/store_failure.ts";

/**
 * What to do about a failed statement. `refuse` its data, which will fail again; `retry` it at once, for
 * the connection or the transaction broke and a new one may do; `wait`, for it passes by itself but not
 * at once; `mend` it: only a person can.
 */
export type Remedy = "refuse" | "retry" | "wait" | "mend";

// By SQLSTATE, the longest prefix first.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const REMEDIES: Readonly<Record<string, Remedy>> = {
  "08": "retry", // connection exception
  "08P01": "mend", // protocol violation: a pooler that does not take what we send
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
  "55": "wait", // not in the state for it: no connections accepted just now, in use, a lock that is not available
  "57": "wait", // operator intervention: a statement timeout, a cancel
  "57P01": "retry", // the server shuts down, or somebody ended this session
  "57P02": "retry", // the server crashed
  "57P03": "retry", // the server is starting
  "58": "wait", // system error, such as an I/O error
};

// What there is to mend, by SQLSTATE likewise. Only of those that are neither retried nor waited for.
const FAULTS: Readonly<Record<string, FaultKind>> = {
  "08P01": "session", // a pooler refuses what we send
  "0A": "schema", // feature not supported
  "21": "data",
  "22": "data",
  "22021": "data",
  "23": "data",
  "26": "session", // a prepared statement is gone: a pooler shares the session
  "28": "rights", // wrong password, or not let in
  "3D": "schema", // no such database
  "3F": "schema", // no such schema
  "42": "schema", // no such table, column or function
  "42501": "rights", // insufficient privilege
  "42P05": "session", // a prepared statement is there already: a pooler shares the session
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

/** The database takes no writes for now: it is a standby, or was set so. No session of it is used. */
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

/** Another server took the place of the one that was asked, or is not to be left for an older one. */
export class DatabaseReplaced extends Error {
  override readonly name = "DatabaseReplaced";
}

/** Tells what to do about an error of the database or of the way to it. The one place that knows. */
export const remedyOf = (error: unknown): Remedy => {
  if (!(error instanceof Error)) return "mend";
  if (error instanceof DatabaseReadOnly) return "wait";
  if (error instanceof DatabaseReplaced) return "retry";
  // Node tried several addresses.
  if (error instanceof AggregateError && error.errors.length > 0) return remedyOf(error.errors[0]);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) {
    // A statement was prepared before a table changed: its connection is dropped, and a new one prepares it anew.
    if (error.routine === "RevalidateCachedQuery") return "retry";
    return bySqlState(REMEDIES, code) ?? "mend";
  }
  // The network: refused, reset, unknown host. Other codes are TLS that does not suit, or bugs.
  if (/^(?:E[A-Z]+|EAI_[A-Z]+|ERR_SOCKET_[A-Z_]+|ERR_STREAM_[A-Z_]+)$/.test(code)) return "retry";
  // pg-boss lost the database while it started, and reads its queues again by itself.
  if (code === "ERR_ASSERTION" && /cache is not initialized/i.test(error.message)) return "wait";
  if (code !== "") return "mend";
  if (BROKEN_MESSAGE.test(error.message)) return "retry";
  // No connection, or no answer, in time: another try would only wait as long again.
  return LATE_MESSAGE.test(error.message) || ENDING_MESSAGE.test(error.message) ? "wait" : "mend";
};

/**
 * Tells what a failed statement says about the database: "away" for what is tried again or passes by itself, a bug of
 * ours, or what a person has to mend.
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

/** What JavaScript itself throws, or an assertion. Node also throws these, with a code, for what it does not like. */
const isBug = (error: unknown): boolean =>
  (error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError ||
    (error instanceof Error && error.name === "AssertionError")) &&
  !("code" in error && error.code !== "ERR_ASSERTION");

/** Whether a statement gave up because somebody else held what it wanted to lock. */
export const isLockTimeout = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "55P03";

/** Whether a statement was given up because it took too long. */
export const isStatementTimeout = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "57014";

/** Whether the server refused a connection because the role, the database or the server has as many as it may. */
export const isTooManyConnections = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === "53300";

/** Whether a failed statement was the fault of its data, so that to try it again is no use. */
export const isDataFault = (error: unknown): boolean => remedyOf(error) === "refuse";
