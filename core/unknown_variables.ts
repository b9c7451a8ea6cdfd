import { nearestName } from "./nearest_name.ts";

/** A variable that nothing reads, although somebody may have meant it for us. */
export interface UnknownVariable {
  readonly name: string;
  /** The setting that it resembles; undefined if only its prefix says that it was meant for us. */
  readonly meant: string | undefined;
}

const OUR_PREFIX = /^TIDEMARK_/i;

/** Settings of every OpenTelemetry SDK, of which we read some. */
const OF_OPENTELEMETRY = new Set(["OTEL_TRACES_SAMPLER"]);

/** What Kubernetes sets in every container for each service of the namespace, which may well be called as we are. */
const isOfKubernetes = (name: string, value: string): boolean =>
  /_SERVICE_(?:HOST|PORT)|_PORT_\d+_/.test(name) || /^(?:tcp|udp|sctp):\/\//.test(value);

/**
 * The environment variables that look like one of the known settings and are none. Those of other programs are not among
 * them: only a name that is a few letters away from ours, or begins with TIDEMARK_, is reported. Values are never returned.
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

/** Says it to a person. */
export const describeUnknown = ({ name, meant }: UnknownVariable): string =>
  `${name} is not a setting of Tidemark and is ignored${meant === undefined ? "" : `; did you mean ${meant}?`}`;
