// Classes of SQLSTATE that blame the data: the same data will fail again. Everything else (the
// connection, locks, resources, a shutdown, a missing table) can pass without the data changing.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const DATA_FAULTS: ReadonlySet<string> = new Set([
  "21", // cardinality violation
  "22", // data exception
  "23", // integrity constraint violation
  "54", // program limit exceeded, such as an index row that is too large
]);

/** Whether a failed statement was the fault of its data, so that to try it again is no use. */
export const isDataFault = (error: unknown): boolean => {
  const state = sqlState(error);
  return state !== undefined && DATA_FAULTS.has(state.slice(0, 2));
};

const sqlState = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
