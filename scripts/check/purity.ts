/** Core takes time, randomness and everything else of the outer world as arguments or services. */
import { isTestCode, type Module } from "./module.ts";
import type { Problem } from "./problem.ts";

/** Globals that core must not name, neither bare nor behind `globalThis.`. */
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

/** Token sequences that core must not hold, by the name that the problem gives them. */
const FORBIDDEN_SEQUENCES: [name: string, words: string[]][] = [
  ["Date.now", ["Date", ".", "now"]],
  ["Math.random", ["Math", ".", "random"]],
  ["new Date()", ["new", "Date", "(", ")"]],
];

export function checkPurity(modules: Module[]): Problem[] {
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

/** A name counts as the global unless it is a property (`job.process`) or a key (`process: 1`). */
function isForbiddenGlobal(texts: string[], index: number): boolean {
  if (!FORBIDDEN_GLOBALS.has(texts[index] ?? "")) return false;
  const previous = texts[index - 1];
  if (previous === "." || previous === "?.") return texts[index - 2] === "globalThis";
  return texts[index + 1] !== ":";
}
