import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const IGNORED_FOLDERS = new Set(["node_modules", "coverage"]);

/** All `*.test.ts` files below the root, as sorted paths relative to it, with `/`. */
export function findTests(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
      const path = folder + entry.name;
      if (entry.isDirectory() && !entry.name.startsWith(".") && !IGNORED_FOLDERS.has(entry.name)) {
        walk(`${path}/`);
      } else if (entry.isFile() && entry.name.endsWith(".test.ts")) {
        found.push(path);
      }
    }
  };
  walk("");
  return found.toSorted();
}

/** Each filter selects a file, or all files below a folder. `unmatched` ones are misspelled. */
export function selectTests(
  files: string[],
  filters: readonly string[],
): { selected: string[]; unmatched: string[] } {
  if (filters.length === 0) return { selected: files, unmatched: [] };
  const names = filters.map((filter) => filter.replace(/^\.\//, "").replace(/\/+$/, ""));
  const matches = (file: string, name: string): boolean =>
    file === name || file.startsWith(`${name}/`);
  return {
    selected: files.filter((file) => names.some((name) => matches(file, name))),
    unmatched: names.filter((name) => !files.some((file) => matches(file, name))),
  };
}

/** The duration of each test file in its last run, in milliseconds, by path. */
export type Durations = Record<string, number>;

const durationsIn = (root: string): string =>
  `${root}/node_modules/.cache/tidemark/test_durations.json`;

/** Reads the durations of earlier runs; empty if there are none. */
export function readDurations(root: string): Durations {
  try {
    return JSON.parse(readFileSync(durationsIn(root), "utf8")) as Durations;
  } catch {
    return {};
  }
}

/** Stores the durations for the next run, if the checkout is writable. */
export function writeDurations(root: string, durations: Durations): void {
  try {
    mkdirSync(dirname(durationsIn(root)), { recursive: true });
    writeFileSync(durationsIn(root), JSON.stringify(durations));
  } catch {
    // The next run is slower, but right.
  }
}

/** Longest first, so that no long file runs alone at the end. Unknown files count as long. */
export function longestFirst(files: string[], durations: Durations): string[] {
  const duration = (file: string): number => durations[file] ?? Infinity;
  return files.toSorted((a, b) => (duration(a) === duration(b) ? 0 : duration(b) - duration(a)));
}
