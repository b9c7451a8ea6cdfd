/** Returns the next random number, at least 0 and less than 1. */
export type Random = () => number;

/** An item by its index, which wraps around. */
export const inTurn = <A>(items: ReadonlyArray<A>, index: number): A => {
  const item = items[index % items.length];
  if (item === undefined) throw new Error("Cannot choose from an empty array");
  return item;
};

/** One of several items, each with the same probability. */
export const pick = <A>(random: Random, items: ReadonlyArray<A>): A =>
  inTurn(items, Math.floor(random() * items.length));

/** The items in random order. */
export const shuffle = <A>(random: Random, items: ReadonlyArray<A>): ReadonlyArray<A> => {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as A, shuffled[i] as A];
  }
  return shuffled;
};
