/** Every npm package that is imported is declared where its reader needs it, at one exact version. */
import { isRelative, isTestCode, type Module, packageOf } from "./module.ts";
import type { Problem } from "./problem.ts";

type Versions = Record<string, string>;

const EXACT_VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/**
 * That a declared package is used at all is knip's to say (`.knip.jsonc`), since that needs to know
 * the binaries and plug-ins of each.
 */
export function checkPackages(modules: Module[], packageJson: string): Problem[] {
  const declared = JSON.parse(packageJson) as {
    dependencies?: Versions;
    devDependencies?: Versions;
    optionalDependencies?: Versions;
  };
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = declared;

  const undeclared = modules.flatMap(({ path, imports }) => {
    const mayUseDev = isTestCode(path) || path.startsWith("scripts/");
    return imports.flatMap(({ specifier, line }): Problem[] => {
      if (isRelative(specifier) || specifier.startsWith("node:")) return [];
      const name = packageOf(specifier);
      if (name in dependencies || (mayUseDev && name in devDependencies)) return [];
      const where = mayUseDev ? "dependencies or devDependencies" : "dependencies";
      return [{ path, line, message: `${name} is not in the ${where} of package.json` }];
    });
  });
  const unpinned = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, version]) => !EXACT_VERSION.test(version))
    .map(([name, version]) => ({
      path: "package.json",
      message: `${name} must be pinned to one exact version, not ${version}`,
    }));
  return [...undeclared, ...unpinned];
}
