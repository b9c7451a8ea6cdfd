/** The rules of the tree that no tool knows: layers, purity of core, packages, files, deployment. */
import { checkDeployment } from "./deployment.ts";
import {
  checkLength,
  checkRelativeImports,
  checkSqlIsUsed,
  checkTestsBesideSource,
} from "./files.ts";
import { checkLayers } from "./layers.ts";
import { checkLeftovers } from "./leftovers.ts";
import { readModule } from "./module.ts";
import { checkPackages } from "./packages.ts";
import type { Problem } from "./problem.ts";
import { checkPurity } from "./purity.ts";
import type { Tree } from "./tree.ts";

/** Applies every rule to the tree; an empty answer means that it is in order. */
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
  ];
}
