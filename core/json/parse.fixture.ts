import { losesValue, LOSSY_NUMBER_MARK } from "./lossy_number.ts";

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/**
 * Parses JSON with a mark in place of each number that would lose value: the simplest definition of how the service parses
 * events.
 *
 * @throws SyntaxError if it is not JSON
 */
export const parseMarked = (text: string): unknown => {
  JSON.parse(text);
  return JSON.parse(
    text.replace(STRING_OR_NUMBER, (token) =>
      token.startsWith('"') || !losesValue(token)
        ? token
        : JSON.stringify(LOSSY_NUMBER_MARK + token),
    ),
  );
};
