/**
 * Where an object of a JSON text has a key for the second time, such as `metadata.tags[2].name`; undefined if no object
 * has. The text must be JSON. It is read once, and nesting is bounded by nothing but its length.
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

/** An array or an object that is open. */
interface Level {
  /** The keys that it has so far, if it is an object. */
  readonly keys: Set<string> | undefined;
  /** The last of them. */
  key: string;
  /** How many elements or members came before the one that is being read. */
  index: number;
}

/** Colons, numbers and literals matter to nobody here. */
const STRING_OR_STRUCTURE = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

const pathOf = (levels: ReadonlyArray<Level>): string =>
  levels
    .map(({ keys, key, index }) => (keys === undefined ? `[${index}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
