/** Rules about single files. */
import { isRelative, type Module, resolveRelative } from "./module.ts";
import type { Problem, Tree } from "./tree.ts";

/** A longer file has more than one job. */
const FILE_LINES_MAX = 400;

export function checkLength(tree: Tree): Problem[] {
  return [...tree].flatMap(([path, text]) => {
    const lines = text.split("\n").length - 1;
    if (!/\.(ts|js|sql)$/.test(path) || lines <= FILE_LINES_MAX) return [];
    return [{ path, message: `has ${lines} lines, more than ${FILE_LINES_MAX}: split it` }];
  });
}

/** `log.test.ts`, or `log.plan.test.ts` for an aspect, is beside `log.ts`, `.js` or `.sql`. */
export function checkTestsBesideSource(tree: Tree): Problem[] {
  return [...tree.keys()].flatMap((path) => {
    const subject = /^(.*\/)?([^./]+)(\.[^./]+)*\.test\.ts$/.exec(path);
    if (subject === null) return [];
    const source = `${subject[1] ?? ""}${subject[2]}`;
    if ([".ts", ".js", ".sql"].some((ending) => tree.has(source + ending))) return [];
    return [{ path, message: `is not beside ${subject[2]}.ts` }];
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

/** Code must name every SQL file, except in the folders of migrations and functions. */
export function checkSqlIsUsed(modules: Module[], tree: Tree): Problem[] {
  const strings = modules.flatMap(({ tokens }) =>
    tokens.filter(({ text }) => /^["'`}]/.test(text)).map(({ text }) => text),
  );
  return [...tree.keys()].flatMap((path) => {
    if (!path.endsWith(".sql") || /^db\/(?:migrations|functions)\//.test(path)) return [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (strings.some((text) => new Set(text.split(/[^\w.-]+/)).has(name))) return [];
    return [{ path, message: "is not named in any .ts file: delete it" }];
  });
}

/** Words of unfinished work. The brackets keep them out of this file. */
const LEFTOVERS = /\b(T[O]DO|F[I]XME|X[X]X|d[e]bugger)\b/;

/** Unfinished work belongs into an issue, where people look for it. */
export function checkLeftovers(tree: Tree): Problem[] {
  return [...tree].flatMap(([path, text]) =>
    text.split("\n").flatMap((line, index) => {
      const word = LEFTOVERS.exec(line)?.[1];
      return word === undefined ? [] : [{ path, line: index + 1, message: `contains "${word}"` }];
    }),
  );
}
