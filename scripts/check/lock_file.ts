/** What package-lock.json pins: without a hash, `npm ci` would install whatever the registry answers. */
import type { Problem } from "./problem.ts";

const LOCK = "package-lock.json";

const FOLDER = "node_modules/";

const REGISTRY = "https://registry.npmjs.org/";

/** npm holds a package against the strongest of its hashes; a SHA-1 alone can be forged. */
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

interface Entry {
  readonly integrity?: string;
  /** Where the package comes from; absent for the registry that npm is configured with. */
  readonly resolved?: string;
  /** A folder of this repository. */
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
}

/**
 * Every package of the lock file has a hash and comes from the public registry, and none runs a script when it is
 * installed unless `allowScripts` of package.json names it: such a script can fetch more, which no hash covers.
 *
 * @param lock the text of package-lock.json, of version 2 or 3
 * @param packageJson the text of package.json
 */
export function checkLockFile(lock: string, packageJson: string): Problem[] {
  const { allowScripts = {} } = JSON.parse(packageJson) as {
    allowScripts?: Readonly<Record<string, boolean>>;
  };
  const { packages } = JSON.parse(lock) as { packages?: Readonly<Record<string, Entry>> };
  if (packages === undefined) {
    return [{ path: LOCK, message: "has no packages: write it with npm 7 or newer" }];
  }
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .flatMap(([path, entry]) => {
      const name = path.slice(path.lastIndexOf(FOLDER) + FOLDER.length);
      const mayRun = allowScripts[name] === true;
      const scripts =
        entry.hasInstallScript === true && !mayRun ? ["runs a script when it is installed"] : [];
      return [...problemsOf(entry), ...scripts].map((problem) => ({
        path: LOCK,
        message: `${path} ${problem}`,
      }));
    });
}

function problemsOf({ integrity, resolved, link, inBundle }: Entry): string[] {
  // The hash of the package that brings it covers it.
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
