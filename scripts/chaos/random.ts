/** Gives the next random number, from 0 up to but not including 1. */
export type Random = () => number;

/** One of several, each as likely. */
export const pick = <A>(random: Random, items: ReadonlyArray<A>): A => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
};

/** The same items in another order. */
export const shuffle = <A>(random: Random, items: ReadonlyArray<A>): ReadonlyArray<A> => {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as A, shuffled[i] as A];
  }
  return shuffled;
};
