/** The image contains what its programs need, and nothing that only tests and tools use. */
import { isRelative, type Module, resolveRelative } from "./module.ts";
import type { Problem, Tree } from "./tree.ts";

/** Every port has an adapter in memory, whether or not a program uses it. */
const REFERENCE_ADAPTERS = "adapters/memory/";

export function checkImage(modules: Module[], tree: Tree): Problem[] {
  const ignore = tree.get(".dockerignore");
  if (ignore === undefined) return [];
  const isShipped = filterOf(ignore);
  const shipped = new Map(
    modules.filter(({ path }) => isShipped(path)).map((module) => [module.path, module]),
  );
  const reached = new Set([...shipped.keys()].filter((path) => path.endsWith("/main.ts")));
  const problems: Problem[] = [];
  for (const path of reached) {
    for (const target of targetsOf(shipped.get(path))) {
      if (shipped.has(target)) reached.add(target);
      else if (tree.has(target) && target.endsWith(".ts")) {
        problems.push({ path, message: `needs ${target}, which .dockerignore keeps out` });
      }
    }
  }
  const unused = [...shipped.keys()].filter(
    (path) => !reached.has(path) && !path.startsWith(REFERENCE_ADAPTERS),
  );
  return [
    ...problems,
    ...unused.map((path) => ({
      path,
      message: "is in the image, but no program imports it: name it *.fixture.ts, or move it",
    })),
  ];
}

/** The files that a module imports or starts. */
const targetsOf = (module: Module | undefined): ReadonlyArray<string> => {
  if (module === undefined) return [];
  const { path, tokens, imports } = module;
  const started = tokens.flatMap(({ string }, i) =>
    string !== undefined && tokens[i - 2]?.text === "URL" ? [string] : [],
  );
  return [...imports.map(({ specifier }) => specifier).filter(isRelative), ...started].map(
    (specifier) => resolveRelative(path, specifier),
  );
};

/** Whether a path passes a `.dockerignore`: the last line that matches it or its folder decides. */
const filterOf = (text: string): ((path: string) => boolean) => {
  const rules = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const pattern = line
        .replace(/^!/, "")
        .replaceAll(/[.+()]/g, String.raw`\$&`)
        .replaceAll(/\*\*\/|\*/g, (star) => (star === "*" ? "[^/]*" : "(?:.*/)?"));
      return { keeps: line.startsWith("!"), matches: new RegExp(`^${pattern}(?:/|$)`) };
    });
  return (path) => rules.findLast(({ matches }) => matches.test(path))?.keeps ?? true;
};
