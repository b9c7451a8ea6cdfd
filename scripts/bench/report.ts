import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";

import { median, shown } from "./statistics.ts";

/** One measured figure: a value for each run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly runs: ReadonlyArray<number>;
  /** What it must reach, where something is asked of it. */
  readonly goal?: { readonly text: string; readonly met: (median: number) => boolean };
}

/** Prints figures as a table and writes them as JSON. */
export const report = async (figures: ReadonlyArray<Figure>, jsonPath: string): Promise<void> => {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  process.stdout.write(
    `\n${machine}\n\n| figure | median | min to max | goal |\n| --- | --- | --- | --- |\n`,
  );
  for (const { name, unit, runs, goal } of figures) {
    const middle = median(runs);
    const spread = `${shown(Math.min(...runs))} to ${shown(Math.max(...runs))}`;
    const verdict =
      goal === undefined ? "" : `${goal.text}: ${goal.met(middle) ? "met" : "MISSED"}`;
    process.stdout.write(`| ${name} | ${shown(middle)} ${unit} | ${spread} | ${verdict} |\n`);
  }
  const plain = figures.map(({ name, unit, runs }) => ({ name, unit, median: median(runs), runs }));
  await writeFile(jsonPath, `${JSON.stringify({ machine, figures: plain }, null, 2)}\n`);
  process.stdout.write(`\nAlso in ${jsonPath}\n`);
};
