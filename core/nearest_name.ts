/** How many edits may be between a name and the one that was meant, by the length of the latter. */
const editsMax = ({ length }: string): number => (length <= 5 ? 1 : length <= 11 ? 2 : 3);

/**
 * The known name that was most likely meant by another one; undefined if it resembles none. Names are compared without
 * regard to case. A name that lacks only the last words of a known one, such as `QUEUE_DEPTH` of `QUEUE_DEPTH_MAX`, is
 * taken for it, if it has two words at least.
 */
export const nearestName = (name: string, known: Iterable<string>): string | undefined => {
  const given = name.toUpperCase();
  let nearest: { readonly name: string; readonly edits: number } | undefined;
  for (const candidate of known) {
    const isBeginning = given.includes("_") && candidate.startsWith(`${given}_`);
    const edits = isBeginning ? 1 : editsBetween(given, candidate);
    if (edits <= editsMax(candidate) && edits < (nearest?.edits ?? Infinity)) {
      nearest = { name: candidate, edits };
    }
  }
  return nearest?.name;
};

/**
 * The fewest insertions, deletions, replacements and exchanges of neighbours that make one text of another: the
 * Levenshtein distance in which two letters that changed places are one mistake (optimal string alignment).
 */
export const editsBetween = (from: string, to: string): number => {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const exchanged =
        i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
          ? (beforeLast[j - 2] ?? 0) + 1
          : Infinity;
      row.push(Math.min(replaced, exchanged, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
};
