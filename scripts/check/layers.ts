/** Who may import whom. The dependency direction is app → adapters → core; see docs/design.md. */
import { type Import, isRelative, isTestCode, type Module, resolveRelative } from "./module.ts";
import type { Problem } from "./problem.ts";

const TEST_HELPERS = "scripts/test/";

/** What core may import beside itself; `effect/testing` is for tests only although effect ships it. */
const CORE_PACKAGES = /^effect(\/(?!testing)|$)/;
const CORE_TEST_PACKAGES = /^(effect|fast-check|uvu|uvu\/assert)(\/|$)/;

/** The folders a file may import from, by its own; with the file's own folder always among them. */
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

export function checkLayers(modules: Module[]): Problem[] {
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

/** `adapters/koa` for a file of an adapter, the top folder for the others. */
function layerOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  return top === "adapters" ? `${top}/${second}` : top;
}
