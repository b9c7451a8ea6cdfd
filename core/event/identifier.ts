import { lossyNumber } from "../json/lossy_number.ts";

/** The longest `event_id`, `account_id` and `user_id`, in Unicode code points. */
export const IDENTIFIER_LENGTH_MAX = 255;

// C0 and C1 control characters and DEL: invisible in logs and terminals, and Postgres cannot store U+0000.
// oxlint-disable-next-line no-control-regex -- matching control characters is the point
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * What is wrong with an identifier and how to fix it; undefined if it is valid: a well-formed Unicode string of 1 to 255
 * code points without control characters.
 */
export const identifierProblem = (value: unknown): string | undefined => {
  if (typeof value !== "string") return "must be a string";
  if (value.length === 0) return "must not be empty";
  // A number that JavaScript cannot represent, such as a 19-digit id, arrives as a marked string.
  if (value.charCodeAt(0) === 0 && lossyNumber(value) !== undefined) return "must be a string";
  if (value.length > IDENTIFIER_LENGTH_MAX && codePoints(value) > IDENTIFIER_LENGTH_MAX) {
    return `must be at most ${IDENTIFIER_LENGTH_MAX} characters long, not ${codePoints(value)}`;
  }
  if (CONTROL_CHARACTER.test(value))
    return "must not contain control characters such as \\u0000 or \\n";
  if (!value.isWellFormed()) return LONE_SURROGATE;
  return undefined;
};

/**
 * The same for the id of an account, which is also a path segment of URLs. `.` and `..` are not allowed, because URL
 * libraries resolve them, however they are encoded.
 */
export const accountIdProblem = (value: unknown): string | undefined =>
  value === "." || value === ".."
    ? "must not be . or .., because no URL path can contain them as a segment"
    : identifierProblem(value);

/** The problem of any string that is not well-formed Unicode. */
export const LONE_SURROGATE = "must not contain a lone surrogate (half of a \\ud83d\\ude00 pair)";

const codePoints = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};
