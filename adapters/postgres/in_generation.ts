import type { Statement } from "./pool.ts";

/** The schema of a generation that is not the live one. */
export const schemaOf = (generation: number): string => `read_models_${generation}`;

/** The same statement on another generation: SQL here names the live one, `read_models`. */
export const inGeneration = ({ name, text }: Statement, generation: number): Statement => ({
  name: `${name}_${generation}`,
  text: text.replaceAll("read_models.", `${schemaOf(generation)}.`),
});
