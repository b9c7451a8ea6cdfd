import { readdirSync } from "node:fs";

const IGNORED_FOLDERS = new Set(["node_modules", "coverage"]);

/** All `*.test.ts` files below the root, as paths relative to it with `/`, sorted. */
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

/**
 * The files that a filter names: the file itself, or all files below a folder. A filter that names
 * nothing is a mistake, most likely in its spelling: it is returned in `unmatched`.
 */
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
