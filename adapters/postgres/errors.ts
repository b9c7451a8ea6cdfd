import { DatabaseError } from "pg";

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
  "21": "refuse", // cardinality violation
  "22": "refuse", // data exception
  "23": "refuse", // integrity constraint violation
  "25006": "wait", // read-only: a standby that is not promoted yet
  "40": "retry", // rolled back: serialization, deadlock
  "53": "wait", // insufficient resources: disk full, out of memory
  "53300": "retry", // too many connections
  "54": "refuse", // program limit exceeded, such as an index row that is too large
  "55P03": "wait", // lock not available
  "57": "wait", // operator intervention: a statement timeout, a cancel
  "57P01": "retry", // the server shuts down, or somebody ended this session
  "57P02": "retry", // the server crashed
  "57P03": "retry", // the server is starting
  "58": "wait", // system error, such as an I/O error
};

// The errors of the driver itself carry no code.
const BROKEN_MESSAGE = /terminated|not queryable/i;
const LATE_MESSAGE = /timeout/i;

/** Tells what to do about an error of the database or of the way to it. The one place that knows. */
export const remedyOf = (error: unknown): Remedy => {
  if (!(error instanceof Error)) return "mend";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) {
    return REMEDIES[code] ?? REMEDIES[code.slice(0, 2)] ?? "mend";
  }
  // The network: refused, reset, unknown host. Other codes are TLS that does not suit, or bugs.
  if (/^E[A-Z]+(_AGAIN)?$/.test(code)) return "retry";
  if (code !== "") return "mend";
  if (BROKEN_MESSAGE.test(error.message)) return "retry";
  // No connection, or no answer, in time: another try would only wait as long again.
  return LATE_MESSAGE.test(error.message) ? "wait" : "mend";
};

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
