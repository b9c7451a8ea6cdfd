/** Rules about single files: their size, their neighbours, what their imports name. */
import { isRelative, type Module, resolveRelative } from "./module.ts";
import type { Problem } from "./problem.ts";
import type { Tree } from "./tree.ts";

/** Beyond this a file has more than one job. */
const FILE_LINES_MAX = 400;

/** Tests without a source file of their name, each with the reason. */
const TESTS_WITHOUT_SOURCE: Record<string, string> = {};

export function checkLength(tree: Tree): Problem[] {
  return [...tree].flatMap(([path, text]) => {
    const lines = text.split("\n").length - 1;
    if (!/\.(ts|js|sql)$/.test(path) || lines <= FILE_LINES_MAX) return [];
    return [{ path, message: `has ${lines} lines, more than ${FILE_LINES_MAX}: split it` }];
  });
}

/** `log.test.ts`, or `log.plan.test.ts` for one aspect of it, sits beside `log.ts`, `log.js` or `log.sql`. */
export function checkTestsBesideSource(tree: Tree): Problem[] {
  return [...tree.keys()].flatMap((path) => {
    const subject = /^(.*\/)?([^./]+)(\.[^./]+)*\.test\.ts$/.exec(path);
    if (subject === null || path in TESTS_WITHOUT_SOURCE) return [];
    const source = `${subject[1] ?? ""}${subject[2]}`;
    if ([".ts", ".js", ".sql"].some((ending) => tree.has(source + ending))) return [];
    return [{ path, message: `is a test beside no ${subject[2]}.ts` }];
  });
}

export function checkRelativeImports(modules: Module[], tree: Tree): Problem[] {
  return modules.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, line }): Problem[] => {
      if (!isRelative(specifier)) return [];
      if (!/\.(ts|json)$/.test(specifier)) {
        return [{ path, line, message: `write the .ts extension: ${specifier}` }];
      }
      if (tree.has(resolveRelative(path, specifier))) return [];
      return [{ path, line, message: `imports a file that does not exist: ${specifier}` }];
    }),
  );
}

/** A migration is run because it is in its folder; any other SQL file must be named by some code. */
export function checkSqlIsUsed(modules: Module[], tree: Tree): Problem[] {
  const strings = modules.flatMap(({ tokens }) =>
    tokens.filter(({ text }) => /^["'`}]/.test(text)).map(({ text }) => text),
  );
  return [...tree.keys()].flatMap((path) => {
    if (!path.endsWith(".sql") || path.startsWith("db/migrations/")) return [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (strings.some((text) => new Set(text.split(/[^\w.-]+/)).has(name))) return [];
    return [{ path, message: "no .ts file names this file: delete it" }];
  });
}
