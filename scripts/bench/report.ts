import { access, constants, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";

import { UsageError } from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../core/printable.ts";
import { median, shown } from "./statistics.ts";

export interface CaseOptions {
  /** How often each figure is measured. */
  readonly runs: number;
  /** Multiplies the number of events. */
  readonly scale: number;
  /** Reports the progress of a case. */
  readonly say: (line: string) => void;
}

/** Something to measure, against its reference if there is one. */
export interface Case {
  readonly name: string;
  readonly about: string;
  readonly run: (options: CaseOptions) => Promise<Figure[]>;
}

/** A measured figure, with the value of each run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly runs: ReadonlyArray<number>;
  readonly goal?: { readonly text: string; readonly met: (median: number) => boolean };
}

export const describeMachine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;

/** Prints the figures of a case as a table. */
export const printFigures = (name: string, figures: ReadonlyArray<Figure>): void => {
  process.stdout.write(`\n| ${name} | median | min to max | goal |\n| --- | --- | --- | --- |\n`);
  for (const { name: figure, unit, runs, goal } of figures) {
    const middle = median(runs);
    const spread = `${shown(Math.min(...runs))} to ${shown(Math.max(...runs))}`;
    const verdict =
      goal === undefined ? "" : `${goal.text}: ${goal.met(middle) ? "met" : "MISSED"}`;
    process.stdout.write(`| ${figure} | ${shown(middle)} ${unit} | ${spread} | ${verdict} |\n`);
  }
};

/** Writes the figures with all runs as JSON. */
export const writeFigures = async (figures: ReadonlyArray<Figure>, path: string): Promise<void> => {
  const plain = figures.map(({ name, unit, runs }) => ({ name, unit, median: median(runs), runs }));
  const text = JSON.stringify({ machine: describeMachine(), figures: plain }, null, 2);
  await writeFile(path, `${text}\n`);
};

/**
 * Makes sure that figures can be written, before hours are spent on measuring them.
 *
 * @throws UsageError
 */
export const assertWritable = async (path: string): Promise<void> => {
  try {
    // Existing figures are kept until there are new ones.
    await access(path, constants.W_OK).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      await writeFile(path, "[]\n");
    });
  } catch (error) {
    throw new UsageError(`--json names a file that cannot be written: ${messageOf(error)}`);
  }
};
