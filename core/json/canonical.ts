/**
 * JSON text that is equal for equal values: object keys are sorted by code unit, as in RFC 8785. The value must be JSON
 * of limited depth (`core/json/storable.ts`).
 *
 * @param text the value as `JSON.stringify` writes it, if the caller has that already
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export const canonicalJson = (value: unknown, text: string = JSON.stringify(value)): string =>
  hasSortedKeys(value) ? text : withSortedKeys(value);

/** Whether the keys of every object are already sorted. */
const hasSortedKeys = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(hasSortedKeys);
  const object = value as Readonly<Record<string, unknown>>;
  let last = "";
  for (const key in object) {
    if (key < last || !hasSortedKeys(object[key])) return false;
    last = key;
  }
  return true;
};

const withSortedKeys = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    // `JSON.stringify` writes a wide array of numbers ten times as fast as a call for each of them.
    if (!value.some(isNested)) return JSON.stringify(value);
    return `[${value.map(withSortedKeys).join(",")}]`;
  }
  const object = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(object)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${withSortedKeys(object[key])}`);
  return `{${members.join(",")}}`;
};

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null;
