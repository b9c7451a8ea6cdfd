import { parseArgs, type ParseArgsConfig } from "node:util";

/** Exit codes: a command that failed, one that was called wrongly, and one that Ctrl-C ended. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** The command was called with arguments that make no sense; the message says which, and what they must be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What the options of a command were set to. */
export type OptionValues<O extends Options> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true }>
>["values"];

/** A command as its user calls it. */
export interface CommandLine<O extends Options> {
  /** What `--help` prints. Its first line shows how the command is called. */
  readonly usage: string;
  readonly options: O;
  /**
   * Does the work and returns the exit code.
   *
   * @throws UsageError for arguments that make no sense
   */
  readonly run: (
    values: OptionValues<O>,
    positionals: ReadonlyArray<string>,
  ) => Promise<number> | number;
  /** Says what went wrong in one sentence. */
  readonly explain: (error: unknown) => string;
  /** Where errors are printed: standard error unless the command shows its progress there. */
  readonly printError?: (text: string) => void;
}

/**
 * Runs a command with the arguments of this process and returns its exit code. `--help` prints the usage;
 * whatever else goes wrong is one sentence on standard error, with the code 2 when the command was called
 * wrongly, and 1 otherwise.
 */
export const runCommandLine = async <const O extends Options>(
  { usage, options, run, explain, printError = print }: CommandLine<O>,
  argv: string[] = process.argv.slice(2),
): Promise<number> => {
  if (asksForHelp(argv)) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    const { values, positionals } = readArguments(argv, options);
    return await run(values, positionals);
  } catch (error) {
    if (!(error instanceof UsageError)) {
      printError(isBug(error) ? (error.stack ?? error.message) : explain(error));
      return EXIT_FAILED;
    }
    const [called = ""] = usage.split("\n");
    printError(`${error.message}.\n\n${called}\n--help says more.`);
    return EXIT_USAGE;
  }
};

const print = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Anywhere, but not behind `--`, where everything is an argument. */
const asksForHelp = (argv: ReadonlyArray<string>): boolean => {
  const end = argv.indexOf("--");
  const options = end === -1 ? argv : argv.slice(0, end);
  return options.includes("--help") || options.includes("-h");
};

/** @throws UsageError for an option that there is not, or one without its value */
export const readArguments = <const O extends Options>(
  args: string[],
  options: O,
): { readonly values: OptionValues<O>; readonly positionals: ReadonlyArray<string> } => {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(parseProblem(error));
  }
};

/** Node's own messages advise what nobody meant, over two lines. */
const parseProblem = (error: unknown): string => {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const [, option = ""] = /'(?:-\w, )?(-[^\s']+)/.exec(message) ?? [];
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `There is no option ${option}`;
  if (code !== "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") throw error;
  if (message.includes("does not take an argument")) return `${option} takes no value`;
  if (message.includes("ambiguous")) {
    return `${option} needs a value; one that begins with a dash is written ${option}=-…`;
  }
  return `${option} needs a value`;
};

/** A mistake in the program, of which the stack is worth more than the message. */
const isBug = (error: unknown): error is Error =>
  error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Reads a whole number; `1_000_000` is one, too.
 *
 * @param name what the user knows it by, such as `--batch`
 * @throws UsageError when it is none, or out of bounds
 */
export const wholeNumber = (name: string, text: string, { min, max }: Bounds): number => {
  const value = Number(text.replaceAll("_", ""));
  if (/^[0-9][0-9_]{0,19}$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, not ${shown(text)}`);
};

/**
 * Reads a decimal number, such as `0.5`.
 *
 * @throws UsageError when it is none, or out of bounds
 */
export const decimalNumber = (name: string, text: string, { min, max }: Bounds): number => {
  const value = Number(text);
  if (/^[0-9]*\.?[0-9]+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a number from ${min} to ${max}, not ${shown(text)}`);
};

/**
 * Reads the address of a service, such as `http://127.0.0.1:3000`.
 *
 * @throws UsageError when it is none, without repeating it: there may be a secret in it
 */
export const httpOrigin = (name: string, text: string): URL => {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url;
  throw new UsageError(`${name} must be a URL such as http://127.0.0.1:3000, without a path`);
};

/** @throws UsageError when there are more arguments than a command takes */
export const noMore = (surplus: ReadonlyArray<string>): void => {
  if (surplus.length > 0)
    throw new UsageError(`There is one argument too many: ${shown(surplus[0] ?? "")}`);
};

const SHOWN_MAX = 60;

/** Something that the user typed, within a sentence. */
export const shown = (text: string): string =>
  text === "" ? "empty" : text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
