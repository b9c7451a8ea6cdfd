/**
 * The line, from 1, of the character at `position`. Postgres counts characters from 1, and a character outside
 * the basic plane is one to it and two to a JavaScript string, so the count is by code point.
 */
export function lineAt(text: string, position: number): number {
  let line = 1;
  let seen = 1;
  for (const character of text) {
    if (seen === position) {
      break;
    }
    seen += 1;
    line += character === "\n" ? 1 : 0;
  }
  return line;
}
