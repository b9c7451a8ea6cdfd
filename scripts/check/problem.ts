/** A rule that is broken, and where. */
export interface Problem {
  path: string;
  /** Counted from 1; absent if the whole file is meant. */
  line?: number;
  message: string;
}

/** `core/log.ts:12  message`, which editors and terminals make clickable. */
export const formatProblem = ({ path, line, message }: Problem): string =>
  `${path}${line === undefined ? "" : `:${line}`}  ${message}`;
