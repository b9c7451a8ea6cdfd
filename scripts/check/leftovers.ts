import type { Problem } from "./problem.ts";
import type { Tree } from "./tree.ts";

/** Words of unfinished work; the brackets keep this file from holding them. */
const LEFTOVERS = /\b(T[O]DO|F[I]XME|X[X]X|d[e]bugger)\b/;

/** What is left to do belongs into an issue, where someone looks for it. */
export function checkLeftovers(tree: Tree): Problem[] {
  return [...tree].flatMap(([path, text]) =>
    text.split("\n").flatMap((line, index) => {
      const word = LEFTOVERS.exec(line)?.[1];
      return word === undefined ? [] : [{ path, line: index + 1, message: `holds "${word}"` }];
    }),
  );
}
