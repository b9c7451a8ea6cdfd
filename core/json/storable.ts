import { LONE_SURROGATE } from "../event/identifier.ts";
import { lossyNumber } from "./lossy_number.ts";

/** How deep arrays and objects may nest; the outermost counts as 1. */
export const JSON_DEPTH_MAX = 32;

/** What in a JSON value cannot be stored, where, and how to fix it. */
export interface StorableProblem {
  /** A JSONPath-like path below `path`, such as `metadata.tags[2]`. */
  readonly path: string;
  readonly message: string;
}

/**
 * Counts the values and keys of a parsed JSON value, itself included; or returns the first thing in it that Postgres cannot
 * store unchanged, or that is dangerous to merge: U+0000, lone surrogates, numbers that lose value, `__proto__` keys, and
 * nesting deeper than `JSON_DEPTH_MAX`, which also limits this recursion and every later one.
 *
 * @param path the path of the value, such as `metadata`
 */
export const countStorable = (value: unknown, path: string): number | StorableProblem => {
  const found = countFrom(value, 1);
  return typeof found === "number" ? found : within(path, found);
};

// The path is built on the way back from a problem: hardly any value has one, and building a path for each element of a
// wide array would cost more than everything else.
const countFrom = (value: unknown, depth: number): number | StorableProblem => {
  if (typeof value === "string") {
    const message = stringProblem(value);
    return message === undefined ? 1 : { path: "", message };
  }
  if (typeof value !== "object" || value === null) return 1;
  if (depth > JSON_DEPTH_MAX) {
    return { path: "", message: `must not nest deeper than ${JSON_DEPTH_MAX} levels` };
  }
  let count = 1;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = countFrom(value[i], depth + 1);
      if (typeof found !== "number") return within(`[${i}]`, found);
      count += found;
    }
    return count;
  }
  const object = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(object)) {
    const keyProblem = key === "__proto__" ? PROTO_KEY : stringProblem(key);
    if (keyProblem !== undefined) return { path: "", message: `has a key that ${keyProblem}` };
    const found = countFrom(object[key], depth + 1);
    if (typeof found !== "number") return within(`.${key}`, found);
    count += 1 + found;
  }
  return count;
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
    const shown = number.slice(0, NUMBER_SHOWN_MAX);
    return NEGATIVE_ZERO.test(number)
      ? `is the number ${shown}, which would lose its sign; send 0 or a string`
      : `is the number ${shown}, which would lose value; send it as a string`;
  }
  return text.isWellFormed() ? undefined : LONE_SURROGATE;
};

const NEGATIVE_ZERO = /^-[0.]+(?:e|$)/i;

/** A number can be a megabyte long; an error message should not be. */
const NUMBER_SHOWN_MAX = 40;
