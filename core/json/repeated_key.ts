/**
 * The path of the first key that repeats another one of its object, such as `metadata.tags[2].name`; undefined if there is
 * none. The text must be JSON. Reads it once; nesting is limited only by its length.
 */
export const repeatedKey = (text: string): string | undefined => {
  const levels: Level[] = [];
  let isKeyNext = false;
  for (const [token] of text.matchAll(STRING_OR_STRUCTURE)) {
    const level = levels.at(-1);
    switch (token) {
      case "{":
      case "[":
        isKeyNext = token === "{";
        levels.push({ keys: isKeyNext ? new Set() : undefined, key: "", index: 0 });
        break;
      case "}":
      case "]":
        levels.pop();
        break;
      case ",":
        isKeyNext = level?.keys !== undefined;
        if (level !== undefined) level.index++;
        break;
      default:
        if (level?.keys === undefined || !isKeyNext) break;
        isKeyNext = false;
        level.key = JSON.parse(token) as string;
        if (level.keys.has(level.key)) return pathOf(levels);
        level.keys.add(level.key);
    }
  }
  return undefined;
};

/** An open array or object. */
interface Level {
  /** Its keys so far; undefined for an array. */
  readonly keys: Set<string> | undefined;
  /** The last key. */
  key: string;
  /** The index of the current element or member. */
  index: number;
}

/** Colons, numbers and literals are not needed. */
const STRING_OR_STRUCTURE = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

const pathOf = (levels: ReadonlyArray<Level>): string =>
  levels
    .map(({ keys, key, index }) => (keys === undefined ? `[${index}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
