import { Result } from "effect";

import { losesValue } from "./decimal.ts";
import { LOSSY_NUMBER_MARK } from "./lossy_number.ts";

/** The text is not JSON. `message` says where, in the words of the runtime's parser. */
export interface JsonMalformed {
  readonly _tag: "JsonMalformed";
  readonly message: string;
}

// A number that could lose value has an exponent or at least 16 digits, and stands where a JSON value
// may begin. Nearly no body matches, so nearly no body pays for the second look.
const MAY_LOSE_VALUE = /(?:^|[[:,\s])-?(?:[\d.]{16,}|[\d.]+[eE])/;

// Strings are matched first, so that digits inside of them are passed over whole.
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/**
 * Parses JSON without losing a number silently. A number that JavaScript cannot hold at its written
 * value (1e400, 2^53 + 1, thirty digits) is replaced by a marked string, which no valid string can
 * equal; `core/json/lossy_number.ts` finds it again, so that the decoder can say which field it was.
 */
export const parseJson = (text: string): Result.Result<unknown, JsonMalformed> => {
  try {
    const value: unknown = JSON.parse(text);
    if (!MAY_LOSE_VALUE.test(text)) return Result.succeed(value);
    return Result.succeed(JSON.parse(text.replace(STRING_OR_NUMBER, markWhenLossy)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return Result.fail({ _tag: "JsonMalformed", message });
  }
};

const markWhenLossy = (token: string): string =>
  token.startsWith('"') || !losesValue(token) ? token : JSON.stringify(LOSSY_NUMBER_MARK + token);
