import type { Choice, Command, Options, Program } from "./command_line.ts";

/** `whaleEvents` → `--whale-events` */
export const nameOf = (key: string): string =>
  `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** A command with its arguments. */
export const signature = (name: string, { arguments: all = {}, options }: Command): string => {
  const hasOptions = Object.keys(options).length > 0;
  return [name, ...Object.keys(all), ...(hasOptions ? ["[OPTIONS]"] : [])].join(" ").trimStart();
};

/** The first line of the help, without `Usage: `. */
export const usageOf = ({ name }: Program, choice: Choice): string => {
  const { commands, byDefault } = choice;
  if (byDefault !== undefined && commands.size === 0) {
    const rest = signature("", byDefault);
    return rest === "" ? name : `${name} -- ${rest}`;
  }
  return `${name} -- ${byDefault === undefined ? "COMMAND" : "[COMMAND]"} [OPTIONS]`;
};

const HELP_COLUMNS = 100;

type Rows = ReadonlyArray<readonly [name: string, about: string]>;

export const helpOf = (program: Program, choice: Choice): string => {
  const { about, sections = {}, notes } = program;
  const { commands, byDefault } = choice;
  const optionRows = (options: Options): Rows =>
    Object.entries(options).map(([key, { value, about: text }]) => [
      value === undefined ? nameOf(key) : `${nameOf(key)} ${value}`,
      text,
    ]);
  const commandRows = [...commands].flatMap(([name, one]): Rows => [
    [[name, ...Object.keys(one.arguments ?? {})].join(" "), one.about],
    ...optionRows(one.options).map(([left, text]): Rows[number] => [`  ${left}`, text]),
  ]);
  const own = commands.size === 0 ? byDefault : undefined;
  const tables: ReadonlyArray<readonly [heading: string, rows: Rows]> = [
    ["Commands", commandRows],
    ["Arguments", Object.entries(own?.arguments ?? {}).filter(([, text]) => text !== "")],
    ...Object.entries(sections),
    ["Options", [...optionRows(own?.options ?? {}), ["--help", "Show this text"]]],
  ];
  const filled = tables.filter(([, rows]) => rows.length > 0);
  const width = 4 + Math.max(...filled.flatMap(([, rows]) => rows.map(([left]) => left.length)));
  const paragraphs = [
    `Usage: ${usageOf(program, choice)}`,
    ...wrap(about, HELP_COLUMNS),
    ...filled.map(([heading, rows]) =>
      [`${heading}:`, ...rows.flatMap(([left, text]) => rowLines(left, text, width))].join("\n"),
    ),
    ...wrap(notes ?? "", HELP_COLUMNS),
  ];
  return `${paragraphs.join("\n\n")}\n`;
};

/** The lines of a row: the text is wrapped beside its name. */
const rowLines = (left: string, text: string, width: number): ReadonlyArray<string> =>
  wrap(text, HELP_COLUMNS - width)
    .join("\n")
    .split("\n")
    .map((line, i) => `${(i === 0 ? `  ${left}` : "").padEnd(width)}${line}`.trimEnd());

/** Breaks each paragraph into lines. */
const wrap = (text: string, width: number): ReadonlyArray<string> =>
  text
    .split(/\n\n/)
    .filter((paragraph) => paragraph !== "")
    .map((paragraph) =>
      paragraph.replaceAll(new RegExp(`(?=\\S)(.{1,${width}})(?:\\s+|$)`, "g"), "$1\n").trimEnd(),
    );
