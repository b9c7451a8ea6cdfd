/** Rules that no tool knows: layers, the purity of core, packages, files and deployment. */
import { checkDeployment } from "./deployment.ts";
import {
  checkLeftovers,
  checkLength,
  checkRelativeImports,
  checkSqlIsUsed,
  checkTestsBesideSource,
} from "./files.ts";
import { checkImage } from "./image.ts";
import {
  type Import,
  isRelative,
  isTestCode,
  type Module,
  readModule,
  resolveRelative,
} from "./module.ts";
import { checkPackages } from "./packages.ts";
import type { Problem, Tree } from "./tree.ts";

/** Applies all rules to the tree. */
export function checkArchitecture(tree: Tree): Problem[] {
  const modules = [...tree]
    .filter(([path]) => path.endsWith(".ts"))
    .map(([path, source]) => readModule(path, source));
  return [
    ...checkLayers(modules),
    ...checkPurity(modules),
    ...checkPackages(modules, tree.get("package.json") ?? "{}"),
    ...checkRelativeImports(modules, tree),
    ...checkTestsBesideSource(tree),
    ...checkSqlIsUsed(modules, tree),
    ...checkLength(tree),
    ...checkLeftovers(tree),
    ...checkDeployment(tree),
    ...checkImage(modules, tree),
  ];
}

const TEST_HELPERS = "scripts/test/";

/** The packages of core. `effect/testing` is for tests only. */
const CORE_PACKAGES = /^effect(\/(?!testing)|$)/;
const CORE_TEST_PACKAGES = /^(effect|fast-check|uvu|uvu\/assert)(\/|$)/;

/** The folders that a file may import from. */
function allowedFolders(path: string): string[] {
  const [top = "", second = ""] = path.split("/");
  switch (top) {
    case "core":
      return ["core/"];
    case "adapters":
      return ["core/", `adapters/${second}/`];
    case "db":
      return ["core/", "adapters/", "db/"];
    case "scripts":
      return ["core/", "adapters/", "db/", "scripts/"];
    case "app":
      return ["core/", "adapters/", "db/", "app/"];
    default:
      return [];
  }
}

/** The dependency direction is app → adapters → core; see docs/design.md. */
function checkLayers(modules: Module[]): Problem[] {
  return modules.flatMap((module) =>
    module.imports.flatMap((imported) => {
      const message = isRelative(imported.specifier)
        ? relativeProblem(module.path, imported)
        : packageProblem(module.path, imported);
      return message === undefined ? [] : [{ path: module.path, line: imported.line, message }];
    }),
  );
}

function relativeProblem(path: string, { specifier }: Import): string | undefined {
  const target = resolveRelative(path, specifier);
  const isTest = isTestCode(path);
  if (target.endsWith(".test.ts")) return `imports a test: ${specifier}`;
  if (isTestCode(target) && !isTest) return `imports test code outside of a test: ${specifier}`;
  if (isTest && !path.startsWith("core/") && target.startsWith(TEST_HELPERS)) return undefined;
  if (allowedFolders(path).some((folder) => target.startsWith(folder))) return undefined;
  return `${layerOf(path)} must not import ${layerOf(target)}: ${specifier}`;
}

function packageProblem(path: string, { specifier }: Import): string | undefined {
  if (!path.startsWith("core/")) return undefined;
  const allowed = isTestCode(path) ? CORE_TEST_PACKAGES : CORE_PACKAGES;
  return allowed.test(specifier) ? undefined : `core must not import ${specifier}`;
}

/** `adapters/koa` for a file of an adapter, and the top folder for others. */
function layerOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  return top === "adapters" ? `${top}/${second}` : top;
}

/** Globals that core must not use, with or without `globalThis.`. */
const FORBIDDEN_GLOBALS = new Set([
  "Buffer",
  "Bun",
  "Deno",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "fetch",
  "performance",
  "process",
  "require",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Token sequences that core must not contain, with their names. */
const FORBIDDEN_SEQUENCES: [name: string, words: string[]][] = [
  ["Date.now", ["Date", ".", "now"]],
  ["Math.random", ["Math", ".", "random"]],
  ["new Date()", ["new", "Date", "(", ")"]],
];

/** Core gets time, randomness and everything else of the outside world as arguments or services. */
function checkPurity(modules: Module[]): Problem[] {
  return modules
    .filter(({ path }) => path.startsWith("core/") && !isTestCode(path))
    .flatMap(({ path, tokens }) => {
      const texts = tokens.map(({ text }) => text);
      return tokens.flatMap(({ text, line }, index) => {
        const sequence = FORBIDDEN_SEQUENCES.find(([, words]) =>
          words.every((word, offset) => texts[index + offset] === word),
        );
        const found = sequence?.[0] ?? (isForbiddenGlobal(texts, index) ? text : undefined);
        if (found === undefined) return [];
        return [{ path, line, message: `core must not use ${found}: pass it in` }];
      });
    });
}

/** A name is the global unless it is a property (`job.process`) or a key (`process: 1`). */
function isForbiddenGlobal(texts: string[], index: number): boolean {
  if (!FORBIDDEN_GLOBALS.has(texts[index] ?? "")) return false;
  const previous = texts[index - 1];
  if (previous === "." || previous === "?.") return texts[index - 2] === "globalThis";
  return texts[index + 1] !== ":";
}
