import { type Token, tokenize } from "./tokens.ts";

export interface Import {
  /** As written: `./log.ts`, `effect/Stream`, `node:fs`. */
  specifier: string;
  line: number;
}

/** One TypeScript file of the tree, read once for all rules. */
export interface Module {
  /** Relative to the root, with `/`. */
  path: string;
  source: string;
  tokens: Token[];
  imports: Import[];
}

export function readModule(path: string, source: string): Module {
  const tokens = tokenize(source);
  return { path, source, tokens, imports: findImports(tokens) };
}

/**
 * Every literal specifier of `import … from`, `import`, `export … from`, `import()`,
 * `import.meta.resolve()` and `require()`, types included: a type is a dependency of the reader too.
 */
function findImports(tokens: Token[]): Import[] {
  return tokens.flatMap(({ string, line }, index) => {
    if (string === undefined) return [];
    const before = tokens.slice(Math.max(0, index - 6), index).map(({ text }) => text);
    return IMPORT_PREFIXES.some((prefix) => endsWith(before, prefix))
      ? [{ specifier: string, line }]
      : [];
  });
}

const IMPORT_PREFIXES = [
  ["from"],
  ["import"],
  ["import", "("],
  ["require", "("],
  ["import", ".", "meta", ".", "resolve", "("],
];

const endsWith = (texts: string[], suffix: string[]): boolean =>
  suffix.length <= texts.length &&
  suffix.every((text, index) => texts[texts.length - suffix.length + index] === text);

/** Suffixes of files that only tests use; they may import test libraries, and only tests may import them. */
const TEST_SUFFIXES = [".test.ts", ".conformance.ts", ".fixture.ts"];

export const isTestCode = (path: string): boolean =>
  TEST_SUFFIXES.some((suffix) => path.endsWith(suffix));

/** `./log.ts`, seen from `core/queue/queue.ts`, is `core/queue/log.ts`. */
export function resolveRelative(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** `@koa/router/lib/x` is of the package `@koa/router`. */
export function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

export const isRelative = (specifier: string): boolean => /^\.{1,2}(\/|$)/.test(specifier);
