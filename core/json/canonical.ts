/**
 * JSON text in which equal values are equal texts: object keys are sorted by code unit, as RFC 8785
 * sorts them. The value must be JSON, and its depth already bounded (`core/json/storable.ts`).
 *
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export const canonicalJson = (value: unknown): string =>
  hasSortedKeys(value) ? JSON.stringify(value) : withSortedKeys(value);

/** Whether the keys of every object are in order already, as most clients send them, always the same. */
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
  if (Array.isArray(value)) return `[${value.map(withSortedKeys).join(",")}]`;
  const object = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(object)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${withSortedKeys(object[key])}`);
  return `{${members.join(",")}}`;
};
