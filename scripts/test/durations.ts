import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How long each test file took last time, in milliseconds, by path. */
export type Durations = Record<string, number>;

const fileIn = (root: string): string => `${root}/node_modules/.cache/tidemark/test_durations.json`;

/** Reads what the last runs took; empty on the first run or if the cache cannot be read. */
export function readDurations(root: string): Durations {
  try {
    return JSON.parse(readFileSync(fileIn(root), "utf8")) as Durations;
  } catch {
    return {};
  }
}

/** Keeps the durations for the next run. A cache that cannot be written costs speed, never the run. */
export function writeDurations(root: string, durations: Durations): void {
  try {
    mkdirSync(dirname(fileIn(root)), { recursive: true });
    writeFileSync(fileIn(root), JSON.stringify(durations));
  } catch {
    // For example a read-only checkout.
  }
}

/** Longest first, so that no long file is left alone at the end; unknown files count as long. */
export function longestFirst(files: string[], durations: Durations): string[] {
  const duration = (file: string): number => durations[file] ?? Infinity;
  return files.toSorted((a, b) => (duration(a) === duration(b) ? 0 : duration(b) - duration(a)));
}
