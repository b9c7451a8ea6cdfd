import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A scenario of k6: a file of this folder. */
export interface Scenario {
  readonly name: string;
  /** The comment that the file begins with. */
  readonly about: string;
  readonly path: string;
}

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** What the scenarios share is in the same folder. */
const SHARED = "tidemark.js";

/** All scenarios, by their names. */
export const readScenarios = (): ReadonlyArray<Scenario> =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(".js") && file !== SHARED)
    .toSorted()
    .map((file) => ({
      name: file.slice(0, -".js".length),
      about: firstComment(readFileSync(`${FOLDER}${file}`, "utf8")),
      path: `${FOLDER}${file}`,
    }));

const firstComment = (source: string): string => {
  const lines = source.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(" ");
};
