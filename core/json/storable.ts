import { LONE_SURROGATE } from "../event/identifier.ts";
import { lossyNumber } from "./lossy_number.ts";

/** How deep arrays and objects may nest, the outermost counted as 1. */
export const JSON_DEPTH_MAX = 32;

/** What in a JSON value cannot be stored, where, and how to mend it. */
export interface StorableProblem {
  /** A JSONPath-like path below `path`, such as `metadata.tags[2]`. */
  readonly path: string;
  readonly message: string;
}

/**
 * Finds the first thing in a parsed JSON value that Postgres text or jsonb could not hold unchanged,
 * or that would be dangerous to merge: U+0000, lone surrogates, numbers that lose value, `__proto__`
 * keys, and nesting deeper than `JSON_DEPTH_MAX` (which also bounds this walk and every later one).
 */
export const storableProblem = (value: unknown, path: string): StorableProblem | undefined => {
  const problem = problemIn(value, 1);
  return problem && { path: path + problem.path, message: problem.message };
};

// The path is put together on the way back from a problem: nearly no value has one, and a text for each element of
// a wide array costs more than all the rest.
const problemIn = (value: unknown, depth: number): StorableProblem | undefined => {
  if (typeof value === "string") {
    const message = stringProblem(value);
    return message === undefined ? undefined : { path: "", message };
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (depth > JSON_DEPTH_MAX) {
    return { path: "", message: `must not nest deeper than ${JSON_DEPTH_MAX} levels` };
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = problemIn(value[i], depth + 1);
      if (problem !== undefined) return within(`[${i}]`, problem);
    }
    return undefined;
  }
  const object = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(object)) {
    const keyProblem = key === "__proto__" ? PROTO_KEY : stringProblem(key);
    if (keyProblem !== undefined) return { path: "", message: `has a key that ${keyProblem}` };
    const problem = problemIn(object[key], depth + 1);
    if (problem !== undefined) return within(`.${key}`, problem);
  }
  return undefined;
};

const within = (step: string, { path, message }: StorableProblem): StorableProblem => ({
  path: step + path,
  message,
});

const PROTO_KEY = 'must not be "__proto__"';

const stringProblem = (text: string): string | undefined => {
  if (text.includes("\u0000")) {
    const number = lossyNumber(text);
    if (number === undefined) return "must not contain \\u0000";
    return `is the number ${number.slice(0, NUMBER_SHOWN_MAX)}, which would lose value; send it as a string`;
  }
  return text.isWellFormed() ? undefined : LONE_SURROGATE;
};

/** A number can be a megabyte long; an error message should not be. */
const NUMBER_SHOWN_MAX = 40;
