import { LRUCache } from "lru-cache";

/** How many texts are remembered, and how long one may be: together less than a megabyte. */
const TEXTS_MAX = 1_000;
const TEXT_CHARACTERS_MAX = 200;

/**
 * A function that remembers what it made of the texts which come often: most requests ask with one of a
 * few query strings. Only for pure functions, and results that nobody changes.
 */
export const remember = <A extends object>(read: (text: string) => A): ((text: string) => A) => {
  const known = new LRUCache<string, A>({ max: TEXTS_MAX });
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const result = read(text);
    if (text.length <= TEXT_CHARACTERS_MAX) known.set(text, result);
    return result;
  };
};
