/** Rules about npm packages: how they are declared, and what package-lock.json pins. */
import { isRelative, isTestCode, type Module, packageOf } from "./module.ts";
import type { Problem } from "./tree.ts";

type Versions = Record<string, string>;

const EXACT_VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** Imported packages are declared, at one exact version. knip finds unused packages. */
export function checkPackages(modules: Module[], packageJson: string): Problem[] {
  const declared = JSON.parse(packageJson) as {
    dependencies?: Versions;
    devDependencies?: Versions;
    optionalDependencies?: Versions;
  };
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = declared;

  const undeclared = modules.flatMap(({ path, imports }) => {
    const mayUseDev = isTestCode(path) || path.startsWith("scripts/");
    return imports.flatMap(({ specifier, line }): Problem[] => {
      if (isRelative(specifier) || specifier.startsWith("node:")) return [];
      const name = packageOf(specifier);
      if (name in dependencies || (mayUseDev && name in devDependencies)) return [];
      const where = mayUseDev ? "dependencies or devDependencies" : "dependencies";
      return [{ path, line, message: `${name} is not in the ${where} of package.json` }];
    });
  });
  const unpinned = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, version]) => !EXACT_VERSION.test(version))
    .map(([name, version]) => ({
      path: "package.json",
      message: `${name} must be pinned to one exact version, not ${version}`,
    }));
  return [...undeclared, ...unpinned];
}

const LOCK = "package-lock.json";

const FOLDER = "node_modules/";

const REGISTRY = "https://registry.npmjs.org/";

/** npm checks a package against the strongest of its hashes. A SHA-1 alone can be forged. */
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

interface LockedPackage {
  readonly integrity?: string;
  /** The source of the package; absent for the configured registry. */
  readonly resolved?: string;
  /** A folder of this repository. */
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
  readonly engines?: { readonly node?: string };
  /** npm omits an optional package where it does not fit. */
  readonly optional?: boolean;
}

/**
 * Every package of the lock file has a hash and comes from the public registry: without a hash,
 * `npm ci` installs whatever the registry answers. None runs an install script unless
 * `allowScripts` of package.json names it: a script can download more, which no hash covers.
 *
 * @param lock the text of package-lock.json, of version 2 or 3
 * @param packageJson the text of package.json
 */
export function checkLockFile(lock: string, packageJson: string): Problem[] {
  const { allowScripts = {} } = JSON.parse(packageJson) as {
    allowScripts?: Readonly<Record<string, boolean>>;
  };
  const { packages } = JSON.parse(lock) as { packages?: Readonly<Record<string, LockedPackage>> };
  if (packages === undefined) {
    return [{ path: LOCK, message: "has no packages: create it with npm 7 or newer" }];
  }
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .flatMap(([path, entry]) => {
      const name = path.slice(path.lastIndexOf(FOLDER) + FOLDER.length);
      const mayRun = allowScripts[name] === true;
      const scripts = entry.hasInstallScript === true && !mayRun ? ["runs an install script"] : [];
      return [...problemsOf(entry), ...scripts].map((problem) => ({
        path: LOCK,
        message: `${path} ${problem}`,
      }));
    });
}

function problemsOf({ integrity, resolved, link, inBundle }: LockedPackage): string[] {
  // The hash of the bundling package covers it.
  if (inBundle === true) return [];
  const foreign =
    link === true || (resolved !== undefined && !resolved.startsWith(REGISTRY))
      ? [`comes from ${resolved ?? "a folder"}, not from ${REGISTRY}`]
      : [];
  if (integrity === undefined) return ["has no integrity hash", ...foreign];
  const hashes = integrity.split(/\s+/);
  return hashes.some((hash) => SHA512.test(hash))
    ? foreign
    : [`has no SHA-512 among its hashes: ${integrity}`, ...foreign];
}

type Version = readonly [major: number, minor: number, patch: number];

/**
 * Every package of the lock file accepts the Node version `oldest`: otherwise npm warns, or with
 * `engine-strict` refuses to install. A package that runs only on the Node that npm installs, such
 * as pg-boss, has no `engines` in the lock file.
 *
 * @param lock the text of package-lock.json, of version 2 or 3
 * @param oldest such as 20.19.0
 */
export function checkEngines(lock: string, oldest: string): Problem[] {
  const { packages = {} } = JSON.parse(lock) as {
    packages?: Readonly<Record<string, LockedPackage>>;
  };
  const version = versionIn(oldest);
  return Object.entries(packages).flatMap(([path, { engines, optional }]) => {
    const range = engines?.node;
    if (optional === true || range === undefined || accepts(range, version)) return [];
    const message = `${path} needs Node ${range}, but npm may run on ${oldest}: remove its engines here if it never runs on that Node`;
    return [{ path: LOCK, message }];
  });
}

/** Whether a range such as `^20.19.0 || >=22.12.0`, as in lock files, contains a version. */
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
      // 20, 20.* and 20.19 are prefixes.
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
