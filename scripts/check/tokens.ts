/**
 * Splits TypeScript source into tokens with TypeScript's own scanner, so that a rule about code is not
 * fooled by comments, strings, templates or regular expressions.
 */
import { SyntaxKind } from "typescript/unstable/ast";
import { createScanner } from "typescript/unstable/ast/scanner";

export interface Token {
  /** The token as written; a string literal with its quotes, the fixed parts of a template with theirs. */
  text: string;
  /** The value of a string literal or of a template without substitutions. */
  string: string | undefined;
  /** Counted from 1. */
  line: number;
}

/** Tokens after which `/` divides; after all others it starts a regular expression. */
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

/** The tokens of a source file in order, without white space and comments. */
export function tokenize(source: string): Token[] {
  const scanner = createScanner(true, undefined, source);
  const tokens: Token[] = [];
  // Open braces; true where one belongs to a `${` of a template, whose text goes on after its `}`.
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
