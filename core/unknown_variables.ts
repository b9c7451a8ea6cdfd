/** An environment variable that Tidemark does not read, although it may be meant for it. */
export interface UnknownVariable {
  readonly name: string;
  /** The setting that it resembles; undefined if only its prefix suggests that it is meant for Tidemark. */
  readonly meant: string | undefined;
}

const OUR_PREFIX = /^TIDEMARK_/i;

/** Settings of every OpenTelemetry SDK that Tidemark does not read. */
const OF_OPENTELEMETRY = new Set(["OTEL_TRACES_SAMPLER"]);

/** Kubernetes sets these in every container, for each service of the namespace, which may be named after ours. */
const isOfKubernetes = (name: string, value: string): boolean =>
  /_SERVICE_(?:HOST|PORT)|_PORT_\d+_/.test(name) || /^(?:tcp|udp|sctp):\/\//.test(value);

/**
 * The environment variables that look like mistyped settings: their names differ from a setting by a few letters or start
 * with TIDEMARK_. The variables of other programs are not among them. Never returns values.
 */
export const unknownVariables = (
  environment: Readonly<Record<string, string | undefined>>,
  known: ReadonlyArray<string>,
): ReadonlyArray<UnknownVariable> =>
  Object.entries(environment).flatMap(([name, value = ""]) => {
    if (value === "" || known.includes(name) || OF_OPENTELEMETRY.has(name)) return [];
    if (isOfKubernetes(name, value)) return [];
    const bare = name.replace(OUR_PREFIX, "");
    const meant = known.includes(bare.toUpperCase())
      ? bare.toUpperCase()
      : nearestName(bare, known);
    return meant === undefined && bare === name ? [] : [{ name, meant }];
  });

/** The message for an operator. */
export const describeUnknown = ({ name, meant }: UnknownVariable): string =>
  `${name} is not a setting of Tidemark and is ignored${meant === undefined ? "" : `; did you mean ${meant}?`}`;

/** How many edits a mistyped name may be away from a known one, by the length of the latter. */
const editsMax = ({ length }: string): number => (length <= 5 ? 1 : length <= 11 ? 2 : 3);

/**
 * The known name that a mistyped one most likely means; undefined if it resembles none. Ignores case. A name of at least
 * two words that lacks only the last words of a known one means that one, as `QUEUE_DEPTH` means `QUEUE_DEPTH_MAX`.
 */
export const nearestName = (name: string, known: Iterable<string>): string | undefined => {
  const given = name.toUpperCase();
  let nearest: { readonly name: string; readonly edits: number } | undefined;
  for (const candidate of known) {
    const isPrefix = given.includes("_") && candidate.startsWith(`${given}_`);
    const edits = isPrefix ? 1 : editsBetween(given, candidate);
    if (edits <= editsMax(candidate) && edits < (nearest?.edits ?? Infinity)) {
      nearest = { name: candidate, edits };
    }
  }
  return nearest?.name;
};

/**
 * The fewest insertions, deletions, replacements and swaps of adjacent letters that turn one text into another (optimal
 * string alignment: the Levenshtein distance with swaps).
 */
export const editsBetween = (from: string, to: string): number => {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (last[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const exchanged =
        i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
          ? (beforeLast[j - 2] as number) + 1
          : Infinity;
      row.push(Math.min(replaced, exchanged, (last[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] as number;
};
