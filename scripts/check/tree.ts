import { readdirSync, readFileSync } from "node:fs";

/** The text files of the repository: path relative to the root, with `/`, → content. */
export type Tree = ReadonlyMap<string, string>;

/** A broken rule, and where. */
export interface Problem {
  path: string;
  /** Counted from 1; absent for the whole file. */
  line?: number;
  message: string;
}

/** `core/log.ts:12  message`, which editors and terminals make clickable. */
export const formatProblem = ({ path, line, message }: Problem): string =>
  `${path}${line === undefined ? "" : `:${line}`}  ${message}`;

const IGNORED = new Set(["node_modules", "coverage", "package-lock.json"]);
/** A program of its own, with its own packages and compiler options. */
const IGNORED_PATHS = new Set(["scripts/clients/typescript"]);
/** Other dot files are local, or belong to tools. */
const DOT_FILES = new Set([".ci", ".dockerignore", ".github", ".env.example"]);
const TEXT =
  /(\.(ts|js|sql|json|jsonc|md|yml|yaml|sh|example|dockerignore)|\/run|Dockerfile|LICENSE)$/;

export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
      const { name } = entry;
      if (IGNORED.has(name) || (name.startsWith(".") && !DOT_FILES.has(name))) continue;
      const path = folder + name;
      if (IGNORED_PATHS.has(path)) continue;
      if (entry.isDirectory()) walk(`${path}/`);
      else if (entry.isFile() && TEXT.test(path))
        tree.set(path, readFileSync(`${root}/${path}`, "utf8"));
    }
  };
  walk("");
  return tree;
}
