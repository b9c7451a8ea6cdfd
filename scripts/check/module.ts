import { SyntaxKind } from "typescript/unstable/ast";
import { createScanner } from "typescript/unstable/ast/scanner";

export interface Import {
  /** As written: `./log.ts`, `effect/Stream`, `node:fs`. */
  specifier: string;
  line: number;
}

/** A TypeScript file, parsed once for all rules. */
export interface Module {
  /** Relative to the root, with `/`. */
  path: string;
  source: string;
  tokens: Token[];
  imports: Import[];
}

export function readModule(path: string, source: string): Module {
  const tokens = tokenize(source);
  return { path, source, tokens, imports: findImports(tokens) };
}

/**
 * Every literal specifier of `import … from`, `import`, `export … from`, `import()`,
 * `import.meta.resolve()` and `require()`. Types count, too.
 */
function findImports(tokens: Token[]): Import[] {
  return tokens.flatMap(({ string, line }, index) => {
    if (string === undefined) return [];
    const before = tokens.slice(Math.max(0, index - 6), index).map(({ text }) => text);
    return IMPORT_PREFIXES.some((prefix) => endsWith(before, prefix))
      ? [{ specifier: string, line }]
      : [];
  });
}

const IMPORT_PREFIXES = [
  ["from"],
  ["import"],
  ["import", "("],
  ["require", "("],
  ["import", ".", "meta", ".", "resolve", "("],
];

const endsWith = (texts: string[], suffix: string[]): boolean =>
  suffix.length <= texts.length &&
  suffix.every((text, index) => texts[texts.length - suffix.length + index] === text);

/** Suffixes of files for tests: they may import test libraries, and only tests may import them. */
const TEST_SUFFIXES = [".test.ts", ".conformance.ts", ".fixture.ts"];

export const isTestCode = (path: string): boolean =>
  TEST_SUFFIXES.some((suffix) => path.endsWith(suffix));

/** `./log.ts`, seen from `core/queue/queue.ts`, is `core/queue/log.ts`. */
export function resolveRelative(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** The package of `@koa/router/lib/x` is `@koa/router`. */
export function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

export const isRelative = (specifier: string): boolean => /^\.{1,2}(\/|$)/.test(specifier);

export interface Token {
  /** The token as written, with the quotes of a string or template. */
  text: string;
  /** The value of a string literal or of a template without substitutions. */
  string: string | undefined;
  /** Counted from 1. */
  line: number;
}

/** After these tokens `/` divides; after all others it starts a regular expression. */
const OPERAND_ENDS = new Set<SyntaxKind>([
  SyntaxKind.Identifier,
  SyntaxKind.PrivateIdentifier,
  SyntaxKind.NumericLiteral,
  SyntaxKind.BigIntLiteral,
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateTail,
  SyntaxKind.RegularExpressionLiteral,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
  SyntaxKind.ThisKeyword,
  SyntaxKind.TrueKeyword,
  SyntaxKind.FalseKeyword,
  SyntaxKind.NullKeyword,
]);

/**
 * Splits TypeScript into tokens, without white space and comments, with TypeScript's own scanner:
 * comments, strings, templates and regular expressions must not confuse a rule.
 */
export function tokenize(source: string): Token[] {
  const scanner = createScanner(true, undefined, source);
  const tokens: Token[] = [];
  // Open braces; true for the `${` of a template, whose text continues after the `}`.
  const braces: boolean[] = [];
  let previous: SyntaxKind = SyntaxKind.Unknown;
  let line = 1;
  let counted = 0;

  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFile; kind = scanner.scan()) {
    const startsWithSlash = kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken;
    if (startsWithSlash && !OPERAND_ENDS.has(previous)) kind = scanner.reScanSlashToken();
    if (kind === SyntaxKind.TemplateHead) braces.push(true);
    else if (kind === SyntaxKind.OpenBraceToken) braces.push(false);
    else if (kind === SyntaxKind.CloseBraceToken && braces.pop() === true) {
      kind = scanner.reScanTemplateToken(false);
      if (kind === SyntaxKind.TemplateMiddle) braces.push(true);
    }
    const start = scanner.getTokenStart();
    for (; counted < start; counted += 1) if (source.charCodeAt(counted) === NEWLINE) line += 1;
    const isString =
      kind === SyntaxKind.StringLiteral || kind === SyntaxKind.NoSubstitutionTemplateLiteral;
    const string = isString ? scanner.getTokenValue() : undefined;
    tokens.push({ text: scanner.getTokenText(), string, line });
    previous = kind;
  }
  return tokens;
}

const NEWLINE = 10;
