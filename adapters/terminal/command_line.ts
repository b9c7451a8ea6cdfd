import { parseArgs } from "node:util";

import { messageOf } from "../../core/printable.ts";
import { helpOf, nameOf, signature, usageOf } from "./help.ts";

/**
 * The exit codes of every command: it failed, it was called with arguments that make no sense, and
 * a signal interrupted it. 0 is success.
 */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** Invalid arguments. The message says what is wrong and how to fix it, without a full stop. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An option of a command. `option` makes them. */
export interface Option<A> {
  /** What the help calls the value, such as `N`; a flag has none. */
  readonly value?: string;
  readonly about: string;
  /**
   * Reads the values that were given, in their order.
   *
   * @param name such as `--batch`
   * @throws UsageError
   */
  readonly read: (given: ReadonlyArray<string>, name: string) => A;
}

/** Keys are in camel case: `whaleEvents` is the option `--whale-events`. */
export type Options = Readonly<Record<string, Option<unknown>>>;

type ValuesOf<O extends Options> = {
  readonly [Key in keyof O]: O[Key] extends Option<infer A> ? A : never;
};

interface Bounds {
  readonly min: number;
  readonly max: number;
}

const numberOption =
  (read: (name: string, text: string, bounds: Bounds) => number) =>
  <Default extends number | undefined = undefined>(
    about: string,
    bounds: Bounds & { readonly default?: Default },
  ): Option<number | Default> => ({
    value: "N",
    about: bounds.default === undefined ? about : `${about} (default ${bounds.default})`,
    read: (given, name) => {
      const last = given.at(-1);
      return last === undefined ? (bounds.default as Default) : read(name, last, bounds);
    },
  });

/** Makes the options of a command. An option that is given twice has its last value. */
export const option = {
  flag: (about: string): Option<boolean> => ({ about, read: (given) => given.length > 0 }),
  text: (value: string, about: string): Option<string | undefined> => ({
    value,
    about,
    read: (given) => given.at(-1),
  }),
  /** Values separated by commas, or in several options. */
  list: (value: string, about: string): Option<ReadonlyArray<string>> => ({
    value,
    about,
    read: (given) => given.flatMap((text) => text.split(",")).filter((text) => text !== ""),
  }),
  whole: numberOption((...from) => wholeNumber(...from)),
  decimal: numberOption((...from) => decimalNumber(...from)),
};

/** What a command does, and with which arguments. */
export interface CommandSpec<O extends Options, Args extends ReadonlyArray<string>> {
  readonly about: string;
  /** The arguments with their descriptions: `[X]` is optional, `X...` can be repeated. */
  readonly arguments?: Readonly<Record<string, string>>;
  readonly options?: O;
  /**
   * Does the work, and returns an exit code unless that is 0.
   *
   * @param args as many as `arguments` says
   * @param interrupted aborts at the first signal, in a program with `onInterrupt`
   * @throws UsageError for arguments that do not go together
   */
  readonly run: (
    options: ValuesOf<O>,
    args: Args,
    interrupted: AbortSignal,
  ) => Promise<number | void> | number | void;
}

/** A command whose options are read. */
export interface Command extends Omit<
  CommandSpec<Options, ReadonlyArray<string>>,
  "options" | "run"
> {
  readonly options: Options;
  readonly run: (
    given: ReadonlyMap<string, ReadonlyArray<string>>,
    args: ReadonlyArray<string>,
    interrupted: AbortSignal,
  ) => Promise<number | void> | number | void;
}

/** Makes one of several commands of a program. */
export const command = <
  const O extends Options,
  Args extends ReadonlyArray<string> = ReadonlyArray<string>,
>(
  spec: CommandSpec<O, Args>,
): Command => ({
  ...spec,
  options: spec.options ?? {},
  run: (given, args, interrupted) => {
    const values = Object.entries<Option<unknown>>(spec.options ?? {}).map(([key, { read }]) => [
      key,
      read(given.get(key) ?? [], nameOf(key)),
    ]);
    // `assertArguments` has counted the arguments.
    const counted = args as Args;
    return spec.run(Object.fromEntries(values) as ValuesOf<O>, counted, interrupted);
  },
});

/** What is said about a program, beside its commands. */
export interface Program {
  /** As its user calls it, such as `npm run bench`. */
  readonly name: string;
  readonly about: string;
  /** More tables of the help, by their headings. */
  readonly sections?: Readonly<
    Record<string, ReadonlyArray<readonly [name: string, about: string]>>
  >;
  /** The end of the help. */
  readonly notes?: string;
  /**
   * What is said after SIGINT or SIGTERM, when the command begins to stop. A second signal ends the
   * process. Without it the first one does.
   */
  readonly onInterrupt?: string;
  /** Says what went wrong and how to fix it. The default is the message of the error. */
  readonly explain?: (error: unknown) => string;
}

/**
 * Runs the command of a program with the arguments of this process, and returns the exit code.
 * `--help` prints the help. Everything that goes wrong is one sentence on standard error.
 */
export const runCommand = <const O extends Options>(
  program: Program & CommandSpec<O, ReadonlyArray<string>>,
): Promise<number> => {
  const only = command(program);
  return runProgram(program, { commands: new Map(), byDefault: only }, process.argv.slice(2));
};

/**
 * The same for a program with several commands.
 *
 * @param program `byDefault` names the command that runs when none is given
 */
export const runCommands = (
  program: Program & {
    readonly commands: Readonly<Record<string, Command>>;
    readonly byDefault?: string;
  },
  argv: ReadonlyArray<string> = process.argv.slice(2),
): Promise<number> => {
  const commands = new Map(Object.entries(program.commands));
  return runProgram(program, { commands, byDefault: commands.get(program.byDefault ?? "") }, argv);
};

export interface Choice {
  /** Empty where a program has but one command. */
  readonly commands: ReadonlyMap<string, Command>;
  readonly byDefault: Command | undefined;
}

const runProgram = async (
  program: Program,
  choice: Choice,
  argv: ReadonlyArray<string>,
): Promise<number> => {
  if (asksForHelp(argv)) {
    process.stdout.write(helpOf(program, choice));
    return 0;
  }
  let usage = usageOf(program, choice);
  let interrupted = new AbortController().signal;
  try {
    const { given, positionals } = parse(argv, optionsOf(choice));
    const { chosen, name, args } = choose(choice, positionals);
    if (name !== undefined) usage = `${program.name} -- ${signature(name, chosen)}`;
    for (const key of given.keys()) {
      if (!(key in chosen.options)) {
        throw new UsageError(`${nameOf(key)} is not an option of ${name ?? "this command"}`);
      }
    }
    assertArguments(chosen, args);
    if (program.onInterrupt !== undefined) interrupted = abortOnSignal(program.onInterrupt);
    const code = await chosen.run(given, args, interrupted);
    return interrupted.aborted ? EXIT_INTERRUPTED : (code ?? 0);
  } catch (error) {
    if (error instanceof UsageError) {
      printError(`${error.message}.\n\nUsage: ${usage}\nAdd --help for details.`);
      return EXIT_USAGE;
    }
    if (interrupted.aborted) return EXIT_INTERRUPTED;
    const { explain = messageOf } = program;
    printError(isBug(error) ? (error.stack ?? error.message) : explain(error));
    return EXIT_FAILED;
  }
};

/** Removes a progress line, which may be there. */
const CLEAR_LINE = "\r\u001b[K";

const printError = (text: string): void => {
  process.stderr.write(`${process.stderr.isTTY ? CLEAR_LINE : ""}${text}\n`);
};

const abortOnSignal = (sentence: string): AbortSignal => {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
      interrupt.abort();
      printError(`${signal}: ${sentence}`);
    });
  }
  return interrupt.signal;
};

/** A mistake in the program: its stack is worth more than its message. */
const isBug = (error: unknown): error is Error =>
  error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;

/** `--help` counts anywhere before `--`, which makes everything after it an argument. */
const asksForHelp = (argv: ReadonlyArray<string>): boolean => {
  const end = argv.indexOf("--");
  const options = end === -1 ? argv : argv.slice(0, end);
  return options.includes("--help") || options.includes("-h");
};

const optionsOf = ({ commands, byDefault }: Choice): Options =>
  Object.assign({}, byDefault?.options, ...[...commands.values()].map(({ options }) => options));

const parse = (argv: ReadonlyArray<string>, options: Options) => {
  const keys = new Map(Object.keys(options).map((key) => [nameOf(key).slice(2), key]));
  const types = [...keys].map(([name, key]) => {
    const type = options[key]?.value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, multiple: true }] as const;
  });
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: Object.fromEntries(types),
      allowPositionals: true,
    });
    const given = new Map<string, ReadonlyArray<string>>();
    for (const [name, key] of keys) {
      const value = values[name];
      if (Array.isArray(value)) given.set(key, value.map(String));
    }
    return { given, positionals };
  } catch (error) {
    throw new UsageError(parseProblem(error));
  }
};

/** Replaces Node's messages, which are two lines long and confusing. */
const parseProblem = (error: unknown): string => {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const [, name = ""] = /'(?:-\w, )?(-[^\s']+)/.exec(message) ?? [];
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `Unknown option ${name}`;
  if (code !== "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") throw error;
  if (message.includes("does not take an argument")) return `${name} takes no value`;
  if (message.includes("ambiguous")) {
    return `${name} needs a value; write a value that begins with a dash as ${name}=-…`;
  }
  return `${name} needs a value`;
};

const choose = ({ commands, byDefault }: Choice, positionals: ReadonlyArray<string>) => {
  const [name, ...args] = positionals;
  if (byDefault !== undefined && (commands.size === 0 || name === undefined)) {
    return { chosen: byDefault, name: undefined, args: positionals };
  }
  const names = alternatives([...commands.keys()]);
  if (name === undefined) throw new UsageError(`Missing command; use ${names}`);
  const chosen = commands.get(name);
  if (chosen === undefined) throw new UsageError(`Unknown command ${shown(name)}; use ${names}`);
  return { chosen, name, args };
};

const assertArguments = ({ arguments: all = {} }: Command, args: ReadonlyArray<string>): void => {
  const names = Object.keys(all);
  const missing = names.find((name, i) => !name.startsWith("[") && i >= args.length);
  if (missing !== undefined) throw new UsageError(`Missing argument ${missing}`);
  const surplus = args[names.length];
  if (surplus !== undefined && !names.some((name) => name.includes("..."))) {
    throw new UsageError(`Unexpected argument ${shown(surplus)}`);
  }
};

/**
 * Reads a whole number. Underscores can group its digits: `1_000_000`.
 *
 * @param name what the user knows it by, such as `--batch`
 * @throws UsageError
 */
export const wholeNumber = (name: string, text: string, { min, max }: Bounds): number => {
  const value = Number(text.replaceAll("_", ""));
  if (/^[0-9][0-9_]{0,19}$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, not ${shown(text)}`);
};

/**
 * Reads a decimal number, such as `0.5`.
 *
 * @throws UsageError
 */
export const decimalNumber = (name: string, text: string, { min, max }: Bounds): number => {
  const value = Number(text);
  if (/^[0-9]*\.?[0-9]+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a number from ${min} to ${max}, not ${shown(text)}`);
};

/** The names of a choice, as in `up, status or grant`. */
export const alternatives = (names: ReadonlyArray<string>): string =>
  [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((part) => part !== "").join(" or ");

const SHOWN_MAX = 60;

/** What the user typed, to be repeated in a sentence. */
export const shown = (text: string): string =>
  text === "" ? "empty" : text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
