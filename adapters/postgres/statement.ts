import { readFileSync } from "node:fs";

import type { Statement } from "./pool.ts";

/** The bounds of a read, which statements have in the place of `-- include read_bounds.sql`. */
const READ_BOUNDS = readFileSync(new URL("read_bounds.sql", import.meta.url), "utf8");

/** Reads a statement from a `.sql` file and names it like the file. Called once per module. */
export const sqlFile = (url: URL): Statement => ({
  name: url.pathname.slice(url.pathname.lastIndexOf("/") + 1, -".sql".length),
  text: readFileSync(url, "utf8").replace("-- include read_bounds.sql", () => READ_BOUNDS),
});

/** The schema of a generation of the read models that is not live. */
export const schemaOf = (generation: number): string => `read_models_${generation}`;

/** The same statement on another generation: statements name the live one, `read_models`. */
export const inGeneration = ({ name, text }: Statement, generation: number): Statement => ({
  name: `${name}_${generation}`,
  text: text.replaceAll("read_models.", `${schemaOf(generation)}.`),
});
