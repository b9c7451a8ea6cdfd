/** Whether npm installs all packages on the oldest Node that may run npm here, also if it is told to be strict. */
import type { Problem } from "./problem.ts";

const LOCK = "package-lock.json";

interface Entry {
  readonly version?: string;
  readonly engines?: { readonly node?: string };
  /** npm leaves an optional package out where it does not fit, and goes on. */
  readonly optional?: boolean;
}

type Version = readonly [major: number, minor: number, patch: number];

/**
 * Every package of the lock file accepts `oldest`. With `engine-strict` npm refuses all where one does not, and else it
 * prints a warning that a newcomer has to make sense of. A package that runs only on the Node that npm installs, such as
 * pg-boss, has no `engines` in the lock file: npm's own Node is not the one that it says something about.
 *
 * @param lock the text of package-lock.json, of version 2 or 3
 * @param oldest such as 20.19.0
 */
export function checkEngines(lock: string, oldest: string): Problem[] {
  const { packages = {} } = JSON.parse(lock) as {
    packages?: Readonly<Record<string, Entry>>;
  };
  const version = versionIn(oldest);
  return Object.entries(packages).flatMap(([path, { engines, optional }]) => {
    const range = engines?.node;
    if (optional === true || range === undefined || accepts(range, version)) return [];
    const message = `${path} wants Node ${range}, npm may run on ${oldest}: remove its engines here if it need not run on npm's Node`;
    return [{ path: LOCK, message }];
  });
}

/** Whether a range such as `^20.19.0 || >=22.12.0` has a version in it, as far as ranges in lock files go. */
function accepts(range: string, version: Version): boolean {
  return range.split("||").some((part) =>
    part
      .trim()
      .replaceAll(/(>=|<=|>|<|\^|~)\s+/g, "$1")
      .split(/\s+/)
      .every((comparator) => fits(comparator, version)),
  );
}

function fits(comparator: string, version: Version): boolean {
  const [, operator = "", text = ""] = /^(>=|<=|>|<|\^|~)?(.*)$/.exec(comparator) ?? [];
  const bound = versionIn(text);
  const order = compare(version, bound);
  switch (operator) {
    case ">=":
      return order >= 0;
    case ">":
      return order > 0;
    case "<=":
      return order <= 0;
    case "<":
      return order < 0;
    case "^":
      return order >= 0 && version[0] === bound[0];
    case "~":
      return order >= 0 && version[0] === bound[0] && version[1] === bound[1];
    default:
      // 20, 20.* and 20.19 stand for all that begins so.
      return text
        .split(".")
        .every((digits, index) => /^[*x]?$/.test(digits) || Number(digits) === version[index]);
  }
}

const versionIn = (text: string): Version => {
  const [major = 0, minor = 0, patch = 0] = text
    .split(".")
    .map((digits) => Number.parseInt(digits, 10) || 0);
  return [major, minor, patch];
};

const compare = (one: Version, other: Version): number =>
  one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
